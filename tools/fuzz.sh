#!/bin/sh
# Builds each fuzz target with libFuzzer and runs it for SECONDS (60). New inputs go to build/fuzz/corpus; a crash is kept in
# build/fuzz and ends the run. TARGET=name runs only that one.
set -eu
cd "$(dirname "$0")/.."
command -v clang >/dev/null || { echo "memelens: fuzzing needs clang (packages clang and libclang-rt-dev)" >&2; exit 1; }
seconds=${SECONDS:-60}
flags="-O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all"

for source in tests/fuzz/fuzz_*.c; do
    name=$(basename "${source%.c}")
    [ -z "${TARGET:-}" ] || [ "$TARGET" = "${name#fuzz_}" ] || continue
    make --no-print-directory BUILD=build/fuzz/objects CC=clang CFLAGS="$flags" build/fuzz/objects/libmemelens.a "build/fuzz/objects/${source%.c}.o"
    # clang++, for the one file of C++ (graph_build.cc) and what the sanitizers want of it.
    # shellcheck disable=SC2046
    clang++ -fsanitize=fuzzer,address,undefined -o "build/fuzz/$name" "build/fuzz/objects/${source%.c}.o" build/fuzz/objects/libmemelens.a \
        $(make -s BUILD=build/fuzz/objects print-libs)
    mkdir -p "build/fuzz/corpus/$name"
    "build/fuzz/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -artifact_prefix="build/fuzz/$name-" \
        "build/fuzz/corpus/$name" "tests/fuzz/corpus/${name#fuzz_}"
done
