#!/bin/sh
# Runs tests under ThreadSanitizer and closes with what it reported. BUILD, PROGRAM and the lists come from the Makefile: ALONE, which were built with it in
# BUILD, and PROGRAMS, whose threads are those of PROGRAM.
set -u
cd "$(dirname "$0")/.."
reports=$(pwd)/$BUILD/races
rm -rf "$reports"
mkdir -p "$reports"
export TSAN_OPTIONS="suppressions=$(pwd)/tests/races.supp log_path=$reports/report exitcode=66 die_after_fork=0 ${TSAN_OPTIONS:-}" # test_apart_together forks, and its child starts threads
status=0
[ -z "$ALONE" ] || ONLY=$ALONE tests/run.sh || status=1 # an empty ONLY would be all tests there are
[ -z "$PROGRAMS" ] || ONLY=$PROGRAMS BUILD=build tests/run.sh || status=1
cat "$reports"/report.* 2>/dev/null
count=$(cat "$reports"/report.* 2>/dev/null | grep -c '^SUMMARY: ThreadSanitizer')
echo "$count reports of ThreadSanitizer"
[ "$status" -eq 0 ] && [ "$count" -eq 0 ]
