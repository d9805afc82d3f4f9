#!/bin/sh
# The way of the data, files -> pixels -> vectors -> store -> results, as a rule: fails on an include that points the
# wrong way, and on a file other than nn_onednn* that names oneDNN.
set -eu
cd "$(dirname "$0")/.."

bad=0 checked=
# FOLDER may include its own headers, the public ones it implements or serves, and those of the folders named.
check() {
    folder=$1; shift
    allowed="$folder $*"
    checked="$checked $folder "
    for file in src/"$folder"/*.[ch] src/"$folder"/*.cc src/"$folder"/*/*.[ch]; do
        [ -e "$file" ] || continue
        for include in $(sed -n 's/^ *# *include *"\([^"]*\)".*/\1/p' "$file"); do
            case $include in
                */*) part=${include%%/*} ;;
                *)   part=$include ;;
            esac
            case " $allowed " in
                *" $part "*) ;;
                *) echo "$file: must not include \"$include\"" >&2; bad=1 ;;
            esac
        done
    done
}

check base     memelens_error.h
check files    base
check pixels   base
check ocr      pixels base
check nn       base
check text     base
check encoders nn pixels text base
check store    base
check words    base
check net      base
check captions pixels base
check search   base
check library  captions ocr words encoders text nn pixels files store search net base memelens.h memelens_models.h memelens_study.h
check compare  base memelens.h memelens_study.h
check cli      compare server base memelens.h
check server   base memelens.h memelens_error.h
for folder in src/*/; do
    folder=$(basename "$folder")
    case $checked in *" $folder "*) ;; *) echo "src/$folder: nothing says what it may include" >&2; bad=1 ;; esac
done

for file in $(grep -lE '(dnnl|oneapi/dnnl)[a-z_/]*\.h' -r src include || true); do
    [ "$file" = src/nn/nn_onednn_version.h ] || { echo "$file: only src/nn/nn_onednn_version.h names oneDNN" >&2; bad=1; }
done
for file in $(grep -lE '"nn/nn_onednn_version\.h"' -r src include || true); do
    [ "$file" = src/nn/nn_onednn.h ] || { echo "$file: only src/nn/nn_onednn.h names the versions of oneDNN" >&2; bad=1; }
done
for file in $(grep -lE '"nn/nn_onednn\.h"' -r src include || true); do
    case $file in src/nn/nn_onednn*.c) ;; *) echo "$file: only src/nn/nn_onednn*.c know oneDNN" >&2; bad=1 ;; esac
done
for file in $(grep -lE '"store/(folder|postgres)/' -r src include | grep -vE '^src/store/' || true); do
    echo "$file: only src/store knows what kinds of stores there are" >&2; bad=1
done
for file in $(grep -lE 'hnswlib/' -r src include || true); do
    [ "$file" = src/search/graph_build.cc ] || { echo "$file: only src/search/graph_build.cc knows hnswlib" >&2; bad=1; }
done
exit $bad
