#!/bin/sh
# usage: reproducible.sh VERSION SOURCE.tar.xz
# Builds the package twice, in folders of other names and lengths, under another umask, language and time zone, the second a minute after the first, and
# compares the bytes of the program as it is linked, of the list of what is in it, and of the packages. It takes as long as two builds.
set -eu
version=$1 source=$(realpath "$2")
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
other=another-folder/of-a-longer-name

# build FOLDER UMASK LANGUAGE TIMEZONE
build() {
    echo "memelens: building in $work/$1, umask $2, $3, $4"
    (umask "$2" && env LC_ALL="$3" LANG="$3" TZ="$4" DEB_BUILD_OPTIONS=parallel=1 "$here/deb.sh" "$version" "$source" "$work/$1") >"$work/$2.log" 2>&1 ||
        { tail -n 30 "$work/$2.log" >&2; return 1; }
}

build a 022 C UTC &
first=$!
sleep 61
build $other 027 C.UTF-8 Asia/Kathmandu
wait $first

cd "$work/a"
for file in "memelens-$version/build/memelens" "memelens-$version/build/memelens.cdx.json" *.deb; do
    cmp "$file" "$work/$other/$file"
    echo "the same: $(sha256sum "$file")"
done
