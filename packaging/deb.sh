#!/bin/sh
# usage: deb.sh VERSION SOURCE.tar.xz OUT_DIR
# A Debian package from the source archive: unpacked below OUT_DIR, built there with packaging/debian as its debian/, checked by lintian where that is
# installed.
set -eu
version=$1 source=$(realpath "$2") out=$3
for tool in dpkg-buildpackage dh; do
    command -v "$tool" >/dev/null || { echo "memelens: a Debian package wants $tool: apt-get install build-essential debhelper lintian" >&2; exit 1; }
done
rm -rf "$out"
mkdir -p "$out"
cd "$out"
tar -x -f "$source"
cd "memelens-$version"
cp -R packaging/debian debian
dpkg-buildpackage -us -uc -b
cd ..
ls -l ./*.deb
command -v lintian >/dev/null || { echo 'memelens: no lintian here: the package was not checked' >&2; exit 0; }
lintian --allow-root --fail-on error,warning --pedantic --display-info ./*.changes
