#!/bin/sh
# usage: reproducible.sh VERSION SOURCE.tar.xz
# Builds the package twice, in folders of other names and lengths, one after the other, under another umask, language, time zone and number of jobs, and compares the
# bytes of the program as it is linked, of the list of what is in it, and of the packages. It takes as long as two builds.
set -eu
version=$1 source=$(realpath "$2")
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# build FOLDER UMASK LANGUAGE TIMEZONE JOBS
build() {
    echo "memelens: building in $1, umask $2, $3, $4, $5 at once"
    (umask "$2" && env LC_ALL="$3" LANG="$3" TZ="$4" DEB_BUILD_OPTIONS="parallel=$5" "$here/deb.sh" "$version" "$source" "$1") >"$work/log" 2>&1 ||
        { tail -n 30 "$work/log" >&2; exit 1; }
}

build "$work/a" 022 C UTC 2
build "$work/another-folder/of-a-longer-name" 027 C.UTF-8 Asia/Kathmandu 1

cd "$work/a"
for file in "memelens-$version/build/memelens" "memelens-$version/build/memelens.cdx.json" *.deb; do
    cmp "$file" "$work/another-folder/of-a-longer-name/$file"
    echo "the same: $(sha256sum "$file")"
done
