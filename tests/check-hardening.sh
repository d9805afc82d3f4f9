#!/bin/sh
# usage: check-hardening.sh PROGRAM "FLAGS"
# Whether the built PROGRAM has what the Makefile's HARDENING asks for: a place in memory that changes with each start, tables that nothing can write to once it runs, no
# stack that can be run, functions that watch their stack and their buffers. FLAGS is what it was compiled with: empty with the sanitizers, and then there is nothing to hold.
set -eu
program=$1 flags=$2
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
# What only some compilers, levels and processors have.
case $flags in *_FORTIFY_SOURCE=*) want 'no buffer is watched (_FORTIFY_SOURCE)' "$symbols" ' __[a-z]+_chk(@|$)' ;; esac
# (Whether the whole program is marked so depends on the C library's start files too; Debian's are not.)
start=$(objdump -d --disassemble=main "$program")
case $flags in *-fcf-protection*) want 'jumps have no marks to be held to (-fcf-protection)' "$start" '[[:space:]]endbr(64|32)' ;; esac
case $flags in *-mbranch-protection*) want 'jumps have no marks to be held to (-mbranch-protection)' "$start" '[[:space:]](bti|paciasp)' ;; esac
case $flags in *-ffile-prefix-map=*)
    # What is said of the folder it was built in would make other bytes in every folder.
    if grep -zFxq "$(pwd)" "$program"; then
        echo "$program: has the name of the folder that it was built in (-ffile-prefix-map)" >&2
        bad=1
    fi ;;
esac
[ "$bad" -ne 0 ] || echo "ok      $program is hardened: $(printf '%s' "$flags" | sed 's/-ffile-prefix-map[^ ]*//; s/  */ /g; s/ $//')"
exit $bad
