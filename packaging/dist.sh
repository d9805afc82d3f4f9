#!/bin/sh
# usage: dist.sh VERSION OUT.tar.xz
# The source as one archive with the same bytes wherever and whenever it is made: what git has committed, or, outside git, what lies in an unpacked
# archive. Times are the commit's (SOURCE_DATE_EPOCH where it is set), names are sorted, owners and the umask leave no trace.
set -eu
version=$1 out=$2
cd "$(dirname "$0")/.."
export LC_ALL=C
mkdir -p "$(dirname "$out")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/memelens-$version
mkdir "$tree"

# A checkout is one also where git does not open it (another user's, as for root or in a container; or there is no git): what else lies in it, and its .git, are
# no part of the source, so that ends here, in git's own words.
if [ -e .git ] || [ "$(git rev-parse --show-prefix 2>/dev/null || echo outside)" = "" ]; then
    git rev-parse --verify HEAD >/dev/null
    [ -z "$(git status --porcelain --untracked-files=no)" ] || echo "memelens: what is changed and not committed is not in the archive" >&2
    git archive --format=tar HEAD | tar -x -C "$tree" -f -
    epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
else
    echo "memelens: no git here: all of this folder but what was built is taken" >&2
    tar -c --exclude=./build --exclude=./debian --exclude=./demo.html --exclude='*.part' --exclude=__pycache__ -f - . | tar -x -C "$tree" -f -
    # The archive's files all have the commit's time; the newest would be a changed one's.
    epoch=${SOURCE_DATE_EPOCH:-$(find "$tree" -type f -printf '%T@\n' | sort -n | tail -n 1 | cut -d. -f1)}
fi
tar --sort=name --format=gnu --mtime="@$epoch" --owner=0 --group=0 --numeric-owner --mode='u=rwX,go=rX' -C "$work" -c -f "$work/out.tar" "memelens-$version"
# One thread: blocks of several would be cut by how many processors there are.
xz -T1 -6 -c "$work/out.tar" >"$out.part"
mv "$out.part" "$out"
sha256sum "$out"
