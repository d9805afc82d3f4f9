#!/bin/sh
# Builds each fuzz target with libFuzzer and runs it from the corpus in tests/fuzz/corpus, then says what each came to.
#   SECONDS=60   for each target, or RUNS=N inputs, always the same ones, when those are done before
#   TARGET=name  that one alone ("a b": those, in this order)
# New inputs are kept in build/fuzz/corpus, and the next run goes on from them; the inputs of crashes, of what is too slow and of what takes too much
# memory in build/fuzz/found. A target that has found something is left, the others still run, and the exit is 1. MERGE=1 runs nothing: it puts into tests/fuzz/corpus what
# is small and reaches more of the program, of what both folders hold; what has a name of its own there stays.
set -eu
cd "$(dirname "$0")/.."
tools/deps.sh fuzz
command -v clang++ >/dev/null || { echo "memelens: fuzzing needs clang and its sanitizers (packages clang and libclang-rt-dev)" >&2; exit 1; }
fuzz=build/fuzz objects=build/fuzz/objects
seconds=${SECONDS:-60}
flags="-O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all"
targets=${TARGET:-$(for source in tests/fuzz/fuzz_*.c; do name=$(basename "$source" .c); echo "${name#fuzz_}"; done)}
export MEMELENS_PATIENCE=0.002 # of what waits for servers
export ASAN_OPTIONS="${ASAN_OPTIONS:-allocator_may_return_null=1}" UBSAN_OPTIONS=print_stacktrace=1
mkdir -p $fuzz/found
[ -n "${TMPDIR:-}" ] || { [ -d /dev/shm ] && [ -w /dev/shm ] && TMPDIR=/dev/shm; }
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/memelens-fuzz-XXXXXX")
export TMPDIR # a crash leaves what it had there
trap 'rm -rf "$TMPDIR"' EXIT
trap 'exit 130' INT TERM

# Without CI: at -O1 clang warns of loops that it was asked to vectorise, and what it warns of is no matter here.
build() {
    make --no-print-directory -j"$(getconf _NPROCESSORS_ONLN)" CI= BUILD=$objects CC=clang CFLAGS="$flags" $objects/libmemelens.a \
        $(for name in $targets; do make -s BUILD=$objects TARGET="$name" print-fuzz; done) >$fuzz/build.log 2>&1 || { cat $fuzz/build.log >&2; exit 1; }
    libraries=$(make -s BUILD=$objects print-libs)
    for name in $targets; do
        # clang++, for the one file of C++ (graph_build.cc) and what the sanitizers want of it.
        # shellcheck disable=SC2046,SC2086
        clang++ -fsanitize=fuzzer,address,undefined -o "$fuzz/fuzz_$name" $(make -s BUILD=$objects TARGET="$name" print-fuzz) $objects/libmemelens.a $libraries
    done
}

# The last number behind WORD in the log of NAME, or 0.
number() { sed -n "s/.*$1 *\([0-9][0-9]*\).*/\1/p" "$fuzz/$name.log" | tail -n 1 | grep . || echo 0; }

# Whole seconds of processor time that all which this shell ran has used, as `times` (not in a subshell) has left them in a file.
used() { sed -n '2p' $fuzz/times | tr ms '  ' | awk '{ printf "%d\n", $1 * 60 + $2 + $3 * 60 + $4 + 0.5 }'; }

limits="-timeout=20 -rss_limit_mb=4096 -max_len=${MAX_LEN:-16384} -close_fd_mask=3 -verbosity=1"

run() {
    mkdir -p "$fuzz/corpus/$name"
    words="tests/fuzz/words/$name"
    status=0
    times >$fuzz/times
    before=$(used)
    bound="-max_total_time=$seconds${RUNS:+ -runs=$RUNS -seed=1}"
    # Threads of a server, and those that libvips ends once they have rested, go on between two inputs: what they hold then is no leak. It is looked for at
    # the end.
    [ "$name" != http ] && [ "$name" != picture ] || bound="$bound -detect_leaks=0"
    # Room for as many vectors as a database counts is asked for at once, and is nothing but addresses until they come.
    [ "$name" != rows ] || bound="$bound -malloc_limit_mb=65536"
    # shellcheck disable=SC2046,SC2086
    "$fuzz/fuzz_$name" $limits $bound -print_final_stats=1 -artifact_prefix="$fuzz/found/$name-" $([ ! -f "$words" ] || echo "-dict=$words") \
        "$fuzz/corpus/$name" $([ ! -d "tests/fuzz/corpus/$name" ] || echo "tests/fuzz/corpus/$name") >"$fuzz/$name.log" 2>&1 || status=$?
    times >$fuzz/times
    printf '%-12s %5d s of processor %10d inputs  %6d edges  %5d kept' "$name" $(($(used) - before)) "$(number stat::number_of_executed_units:)" "$(number cov:)" \
        "$(number stat::new_units_added:)"
    if [ $status -ne 0 ]; then
        failed="$failed $name"
        printf '  FAILED (exit %d)' $status
    fi
    echo
}

# A name of libFuzzer's, which is a hash of what is in the file.
hashed='[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]*'

merge() {
    into=tests/fuzz/corpus/$name from=$fuzz/merged/$name
    rm -rf "$from" && mkdir -p "$from" "$fuzz/corpus/$name" "$into"
    find "$into" -type f ! -name "$hashed" -exec cp {} "$from" \;
    # shellcheck disable=SC2086
    "$fuzz/fuzz_$name" $limits -max_len=4096 -set_cover_merge=1 -use_counters=0 "$from" "$into" "$fuzz/corpus/$name" >"$fuzz/$name.log" 2>&1
    find "$into" -type f -name "$hashed" -exec rm {} +
    find "$from" -type f -name "$hashed" -size -9 -exec cp {} "$into" \; # of 4 KiB at most
    echo "$name: $(find "$into" -type f | wc -l) inputs, $(cat "$into"/* | wc -c) bytes"
}

build
failed=
for name in $targets; do
    if [ -n "${MERGE:-}" ]; then merge; else run; fi
done
for name in $failed; do
    for input in "$fuzz/found/$name"-*; do
        [ -f "$input" ] || continue
        printf '\n%s: again with   %s %s\nits bytes in base64: %s\n' "$name" "$fuzz/fuzz_$name" "$input" "$(base64 "$input" | tr -d '\n' | cut -c -6000)"
        "$fuzz/fuzz_$name" -timeout=20 -rss_limit_mb=4096 "$input" 2>&1 | grep -av '^INFO' | tail -n 50
    done
    [ -n "$(find $fuzz/found -name "$name-*")" ] || tail -n 50 "$fuzz/$name.log"
done
[ -z "$failed" ]
