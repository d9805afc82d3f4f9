#!/bin/sh
# Runs every test program and replays every fuzz corpus, then closes with "N passed, N failed, N skipped".
# BUILD and PROGRAM come from the Makefile. A test that needs ../shared skips itself, and is counted, when it is not there. What is true of libraries wherever
# they lie is tested twice: in folders, and in the databases of a PostgreSQL server that runs as long as this does.
set -u
cd "$(dirname "$0")/.."
root=$(pwd)
python=/usr/bin/python3 # the distribution's, which has its packages
[ -x "$python" ] || python=python3
if [ -z "${MEMELENS_POSTGRES:-}" ] && "$python" tests/postgres.py find >/dev/null; then
    exec "$python" tests/postgres.py run --tcp tests/run.sh "$@"
fi
[ -n "${MEMELENS_POSTGRES:-}" ] || echo "no PostgreSQL with pgvector here: the tests of libraries in it will be skipped"
export MEMELENS_PROGRAM="$root/$PROGRAM"
export MEMELENS_SHARED="${MEMELENS_SHARED:-$root/../shared}"
export MEMELENS_SOURCE="$root"
case $PROGRAM in /*) MEMELENS_PROGRAM=$PROGRAM ;; esac
[ -d "$MEMELENS_SHARED" ] || echo "no test data at $MEMELENS_SHARED: the tests that need it will be skipped"

# The golden tests of real weights want the models where `memelens pull` puts them, or in a folder of the tests' own: beside the test
# data those that any machine can have are fetched into it when they are in neither.
models=${MEMELENS_MODELS:-${XDG_DATA_HOME:-$HOME/.local/share}/memelens/models}
own=$root/build/models
for model in efficientnet-lite0 efficientnet-lite2 all-minilm-l6-v2; do
    [ ! -d "$MEMELENS_SHARED" ] || [ -d "$models/$model" ] || [ -d "$own/$model" ] ||
        MEMELENS_MODELS=$own "$MEMELENS_PROGRAM" pull "$model" || echo "without it the tests of its real weights will be skipped"
done
export MEMELENS_TEST_MODELS="${MEMELENS_TEST_MODELS:-$models:$own}"

passed=0 failed=0 skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# cmocka names what failed and what was skipped once more at the end.
count() { grep -E "$1" "$log" | sort -u | wc -l; }

# Runs the test of SOURCE, which is shown as NAME.
run_test() {
    source=$1 name=$2
    "$BUILD/${source%.c}" >"$log" 2>&1
    status=$?
    p=$(count '^\[ +OK +\]') f=$(count '^\[ +FAILED +\] [a-z_0-9]+$') s=$(count '^\[ +SKIPPED +\] [a-z_0-9]+$')
    if [ "$status" -ne 0 ] || [ "$f" -ne 0 ]; then
        cat "$log"
        [ "$f" -ne 0 ] || f=1
        echo "FAILED  $name (exit $status)"
    else
        echo "ok      $name: $p passed$([ "$s" -eq 0 ] || echo ", $s skipped")"
        grep -E '^(skipped:|measured:)' "$log" | sed 's/^/        /'
    fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

for source in tests/unit/test_*.c tests/golden/test_*.c tests/cli/test_*.c tests/http/test_*.c; do
    [ -e "$source" ] || continue
    grep -q 'store_place_run_server' "$source" || run_test "$source" "$source"
done

export MEMELENS_TEST_STORE=postgres
for source in $(grep -lE 'store_place_run[a-z_]*\(' tests/*/test_*.c); do
    run_test "$source" "$source in PostgreSQL"
done
unset MEMELENS_TEST_STORE

for source in tests/fuzz/fuzz_*.c; do
    [ -e "$source" ] || continue
    name=$(basename "${source%.c}")
    if "$BUILD/${source%.c}" tests/fuzz/corpus/"${name#fuzz_}"/* >"$log" 2>&1; then
        echo "ok      $source: $(tail -n 1 "$log")"
        passed=$((passed + 1))
    else
        cat "$log"
        echo "FAILED  $source"
        failed=$((failed + 1))
    fi
done

# What is written in Python: the pages in a browser, where there is one, what the server describes, and a few faults. (The sanitizers have nothing to do with
# the pages, and cannot be loaded behind the faults' shim.)
case $BUILD in
*sanitize*|*coverage*) scripts=$(ls tests/http/test_*.py) ;;
*)                     scripts=$(ls tests/http/test_*.py tests/browser/test_*.py tests/faults/test_*.py) ;;
esac
for source in $scripts; do
    "$python" "$source" "$MEMELENS_PROGRAM" >"$log" 2>&1
    status=$?
    p=$(grep -c '^ok ' "$log") f=$(grep -c '^FAILED ' "$log")
    if [ "$status" -eq 77 ]; then
        echo "skipped: $source: $(tail -n 1 "$log")"
        skipped=$((skipped + 1))
    elif [ "$status" -ne 0 ] || [ "$p" -eq 0 ]; then
        cat "$log"
        [ "$f" -ne 0 ] || f=1
        echo "FAILED  $source (exit $status)"
    else
        echo "ok      $source: $p passed"
    fi
    passed=$((passed + p)) failed=$((failed + f))
done

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
