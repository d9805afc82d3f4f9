#!/bin/sh
# Runs the test programs that are named, which were built with ThreadSanitizer, and closes with what it reported in them and in every program that they started. BUILD
# and PROGRAM come from the Makefile.
set -u
cd "$(dirname "$0")/.."
reports=$(pwd)/$BUILD/races
rm -rf "$reports"
mkdir -p "$reports"
export TSAN_OPTIONS="suppressions=$(pwd)/tests/races.supp log_path=$reports/report exitcode=66 ${TSAN_OPTIONS:-}"
ONLY="$*" tests/run.sh
status=$?
cat "$reports"/report.* 2>/dev/null
count=$(cat "$reports"/report.* 2>/dev/null | grep -c '^SUMMARY: ThreadSanitizer')
echo "$count reports of ThreadSanitizer"
[ "$status" -eq 0 ] && [ "$count" -eq 0 ]
