#!/bin/sh
# Runs every test with gcov's counters and prints the share of the lines of src/ that ran. Fails below 85 %.
set -eu
cd "$(dirname "$0")/.."
least=85

make --no-print-directory COVERAGE=1 run-tests
# gcov's own summaries, added up: gcovr would be one more package. (In another language they have other words, and awk may want a comma in their numbers.)
export LC_ALL=C
find build/coverage/src -name '*.gcda' | while read -r data; do
    gcov --no-output --relative-only --object-file "$data" "$(basename "$data" .gcda).c" 2>/dev/null
done | awk -v least="$least" '
    /^File / { file = $2; gsub(/\x27/, "", file) }
    /^Lines executed:/ && file ~ /^src\// {
        split($0, part, /[:% ]+/)
        lines = $NF; hit = part[3] * lines / 100
        all += lines; ran += hit
        printf "%6.1f %%  %5d lines  %s\n", part[3], lines, file
        file = ""
    }
    END {
        share = all ? 100 * ran / all : 0
        printf "line coverage of src/: %.1f %% of %d lines\n", share, all
        if (share < least) { printf "below %d %%\n", least; exit 1 }
    }'
