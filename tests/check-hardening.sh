#!/bin/sh
# usage: check-hardening.sh PROGRAM "FLAGS" ["CFLAGS"]
# Whether the built PROGRAM has what the Makefile's HARDENING asks for: a place in memory that changes with each start, tables that nothing can write to
# once it runs, no stack that can be run, functions that watch their stack and their buffers. FLAGS are what the Makefile gave for it: empty with the
# sanitizers, and then there is nothing to hold.
set -eu
program=$1 flags=$2 cflags=${3:-}
if [ -z "$flags" ]; then
    echo "skipped: $program was built without hardening flags"
    exit 0
fi
export LC_ALL=C
headers=$(readelf -hlW "$program") dynamic=$(readelf -dW "$program") symbols=$(readelf -sW --dyn-syms "$program")
bad=0
# want WHAT TEXT PATTERN: a line of TEXT has to match.
want() {
    printf '%s\n' "$2" | grep -Eq "$3" || { echo "$program: $1" >&2; bad=1; }
}
want 'is no position-independent executable (-fPIE -pie)' "$headers" '^ *Type: *DYN '
want 'is no position-independent executable (-fPIE -pie)' "$dynamic" '\(FLAGS_1\).*PIE'
want 'its tables are not made read-only (-z relro)' "$headers" '^ *GNU_RELRO '
want 'its functions are not all bound at its start (-z now)' "$dynamic" '\((FLAGS|FLAGS_1)\).*(BIND_NOW|NOW)'
want 'its stack may be run (-z noexecstack)' "$headers" '^ *GNU_STACK .* RW +0x[0-9a-f]+$'
want 'no function watches its stack (-fstack-protector-strong)' "$symbols" ' __stack_chk_fail(@|$)'
# No segment is both.
if printf '%s\n' "$headers" | grep -Eq '^ *LOAD .* (RWE|WE) '; then
    echo "$program: a part of it can be both written and run" >&2
    bad=1
fi
case " $cflags " in
*" -O0 "*) ;; # which does not look into buffers
*) want 'no buffer is watched (_FORTIFY_SOURCE)' "$symbols" ' __[a-z]+_chk(@|$)' ;;
esac
# (Whether the whole program is marked so depends on the C library's start files too; Debian's are not.)
start=$(objdump -d --disassemble=main "$program")
case $headers in
*X86-64*) want 'jumps have no marks to be held to (-fcf-protection)' "$start" '[[:space:]]endbr64' ;;
*AArch64*) want 'jumps have no marks to be held to (-mbranch-protection)' "$start" '[[:space:]](bti|paciasp)' ;;
esac
# The name of the folder that it was built in would make other bytes in every folder.
if grep -zFxq "$(pwd)" "$program"; then
    echo "$program: has the name of the folder that it was built in (-ffile-prefix-map)" >&2
    bad=1
fi
# What leaves no mark in a program is in gcc's account of each file of C, which comes with -g.
accounts=$(grep -zaE '^GNU C[0-9]' "$program" | tr '\0' '\n')
# each FLAG SINCE: no account of a gcc of that version or a newer one is without it.
each() {
    without=$(printf '%s\n' "$accounts" | awk -v flag="$1" -v since="$2" '$3 + 0 >= since && !index($0, flag)' | head -n 1)
    [ -z "$without" ] || { echo "$program: not all of it was compiled with $1: $without" >&2; bad=1; }
}
each -fstack-protector-strong 8
each -fstack-clash-protection 8
each -ftrivial-auto-var-init=zero 12
[ "$bad" -ne 0 ] || echo "ok      $program is hardened: $(printf '%s' "$flags" | sed 's/-ffile-prefix-map.*=\.//; s/  */ /g; s/ $//')"
exit $bad
