#!/bin/sh
# Runs every test program and replays every fuzz corpus, then closes with "N passed, N failed, N skipped".
# BUILD and PROGRAM come from the Makefile. A test that needs ../shared skips itself, and is counted, when it is not there. What is true of libraries wherever
# they lie is tested twice: in folders, and in the databases of a PostgreSQL server that runs as long as this does. ONLY='tests/unit/test_a.c …' runs these.
# Two go through the tests side by side, since most of a test's time is waiting: one through what is tested in folders, one through the rest.
set -u
cd "$(dirname "$0")/.."
root=$(pwd)
python=/usr/bin/python3 # the distribution's, which has its packages
[ -x "$python" ] || python=python3
if [ -z "${MEMELENS_POSTGRES:-}" ] && "$python" tests/postgres.py find >/dev/null; then
    exec "$python" tests/postgres.py run --tcp tests/run.sh "$@"
fi
[ -n "${MEMELENS_POSTGRES:-}" ] || echo "no PostgreSQL with pgvector here: the tests of libraries in it will be skipped"
# What another user may do is tested as one where root runs the tests: the files have to be ones that others may read, and to lie where others may come, which
# TMPDIR in a home of root's own, or that of libpam-tmpdir, is not.
umask 022
other() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@" 2>/dev/null; }
if [ "$(id -u)" -eq 0 ] && other true && ! other test -x "${TMPDIR:-/tmp}" && other test -x /tmp; then
    echo "others may not come to $TMPDIR: the tests' files are below /tmp"
    export TMPDIR=/tmp
fi
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
    [ ! -d "$MEMELENS_SHARED" ] || [ -n "${ONLY:-}" ] || [ -d "$models/$model" ] || [ -d "$own/$model" ] ||
        MEMELENS_MODELS=$own "$MEMELENS_PROGRAM" pull "$model" || echo "without it the tests of its real weights will be skipped"
done
export MEMELENS_TEST_MODELS="${MEMELENS_TEST_MODELS:-$models:$own}"

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
beside=
trap 'kill $beside 2>/dev/null; exit 130' INT TERM

# What follows is called by one of the two lanes, which is $lane: its log, its totals.
begin() { lane=$1 log=$results/$1.log passed=0 failed=0 skipped=0; }
add() { passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3)); }
end() { echo "$passed $failed $skipped" >"$results/$lane.totals"; }

# A shell has what it runs beside itself ignore Ctrl-C, and some tests are about just that; whoever started it may have ignored other signals, as services do
# SIGPIPE.
run() { env --default-signal "$@"; }

# cmocka names what failed and what was skipped once more at the end; its exit says nothing of a group's fixture that failed after the tests.
count() { grep -aoE "$1" "$log" | sort -u | wc -l; }
# How many tests it said that it would run: a program that ends before them may well exit with 0.
wanted() { grep -aoE 'Running [0-9]+ test\(s\)' "$log" | awk '{ sum += $2 } END { print sum + 0 }'; }

# Runs the test of SOURCE, which is shown as NAME.
run_test() {
    source=$1 name=$2
    run "$BUILD/${source%.c}" >"$log" 2>&1
    status=$?
    p=$(count '\[ +OK +\] [A-Za-z_0-9 ]+$') f=$(count '\[ +FAILED +\] [A-Za-z_0-9 ]+$') s=$(count '\[ +SKIPPED +\] [A-Za-z_0-9]+$') n=$(wanted)
    if [ "$status" -ne 0 ] || [ "$f" -ne 0 ] || [ $((p + s)) -eq 0 ] || [ $((p + s)) -lt "$n" ]; then
        [ "$f" -ne 0 ] || f=1
        echo "FAILED  $name (exit $status; $p passed and $s skipped of $n)" >>"$log"
        cat "$log"
    else
        { echo "ok      $name: $p passed$([ "$s" -eq 0 ] || echo ", $s skipped")"
          grep -aE '^(skipped:|measured:)' "$log" | sed 's/^/        /'; } >"$log.shown"
        cat "$log.shown" # in one piece
    fi
    add "$p" "$f" "$s"
}

in_folders() {
    begin folders
    for source in ${ONLY:-tests/unit/test_*.c tests/golden/test_*.c tests/cli/test_*.c tests/http/test_*.c}; do
        [ -e "$source" ] || continue
        grep -q 'store_place_run_server' "$source" || run_test "$source" "$source"
    done
    end
}

in_databases() {
    export MEMELENS_TEST_STORE=postgres
    # shellcheck disable=SC2086
    for source in $(grep -lE 'store_place_run[a-z_]*\(' ${ONLY:-tests/*/test_*.c}); do
        run_test "$source" "$source in PostgreSQL"
    done
    unset MEMELENS_TEST_STORE
}

replay() {
    for source in tests/fuzz/fuzz_*.c; do
        [ -e "$source" ] || continue
        name=$(basename "${source%.c}")
        if "$BUILD/${source%.c}" tests/fuzz/corpus/"${name#fuzz_}"/* >"$log" 2>&1; then
            echo "ok      $source: $(tail -n 1 "$log")"
            add 1 0 0
        else
            echo "FAILED  $source" >>"$log"
            cat "$log"
            add 0 1 0
        fi
    done
}

# What is written in Python: the pages in a browser, where there is one, what the server describes, what the documents say, and a few faults. (The sanitizers
# have nothing to do with the pages and the documents, and cannot be loaded behind the faults' shim.)
run_scripts() {
    case $BUILD in
    *sanitize*|*coverage*) scripts=$(ls tests/http/test_*.py) ;;
    *)                     scripts=$(ls tests/http/test_*.py tests/browser/test_*.py tests/docs/test_*.py tests/faults/test_*.py) ;;
    esac
    for source in $scripts; do
        run "$python" "$source" "$MEMELENS_PROGRAM" >"$log" 2>&1
        status=$?
        p=$(grep -c '^ok ' "$log") f=$(grep -c '^FAILED ' "$log") s=0
        if [ "$status" -eq 77 ]; then
            echo "skipped: $source: $(tail -n 1 "$log")"
            s=1
        elif [ "$status" -ne 0 ] || [ "$p" -eq 0 ]; then
            [ "$f" -ne 0 ] || f=1
            echo "FAILED  $source (exit $status)" >>"$log"
            cat "$log"
        else
            echo "ok      $source: $p passed"
        fi
        add "$p" "$f" "$s"
    done
}

the_rest() {
    begin rest
    in_databases
    [ -n "${ONLY:-}" ] || { replay; run_scripts; }
    end
}

if [ "$(getconf _NPROCESSORS_ONLN)" -gt 1 ]; then
    in_folders &
    beside=$!
    the_rest
    wait
else
    in_folders
    the_rest
fi

# Of a lane that did not come to its end there are no totals: that is a failure.
begin all
for lane in folders rest; do
    read -r p f s 2>/dev/null <"$results/$lane.totals" || p=0 f=1 s=0
    add "$p" "$f" "$s"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
