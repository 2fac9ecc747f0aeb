#!/bin/sh
# --tune: other schedules, never other bits; what was measured is kept in a file,
# with which nothing can go wrong, and read with --tune only.
set -u
. tests/lib.sh
temporary_folder
export XDG_CACHE_HOME="$folder/cache"
cache=$XDG_CACHE_HOME/aecc/schedules
cp examples/pca_points.csv "$folder"

# compile NAME OPTION...
compile() {
    name=$1
    shift
    "$AECC" examples/pca.nn -o "$folder/$name" "$@" 2>"$folder/seen" ||
        fail "$*: $(cat "$folder/seen")"
}

# train NAME
train() (
    cd "$folder" || exit 1
    "./$1" train --quiet --steps 10 --save "$1.safetensors" --checkpoint "$1.ckpt"
)

compile plain
compile tuned --tune
expect_text " timed, " "$folder/seen"
train plain && train tuned || fail "training"
same_files "$folder/plain.safetensors" "$folder/tuned.safetensors"
[ -s "$cache" ] || fail "no file of schedules"

# A second time nothing is timed, and the trainer is the same.
compile again --tune
expect_text "known from $cache" "$folder/seen"
grep -q timed "$folder/seen" && fail "timed again"
same_files "$folder/tuned" "$folder/again"

# Without --tune the file is not read.
compile plain2
same_files "$folder/plain" "$folder/plain2"

# Damage costs time, no more.
sed 's/tile [0-9]*/tile 77/; 2d' "$cache" >"$folder/damaged"
for damaged in "$folder/damaged" /bin/true /dev/null; do
    cp "$damaged" "$cache"
    compile after --tune
    expect_text " timed, " "$folder/seen"
done
rm -r "$XDG_CACHE_HOME"
: >"$XDG_CACHE_HOME"
compile unwritable --tune
expect_text "will measure again: cannot write" "$folder/seen"
(unset HOME XDG_CACHE_HOME && compile homeless --tune) || exit 1

# Only what this machine runs can be timed.
refused() {
    expect_status 2 "$AECC" examples/pca.nn --tune --emit=obj -o "$folder/x.o" "$@" \
        2>"$folder/seen"
    expect_text "--tune measures on this machine" "$folder/seen"
    expect_text "compile without --tune" "$folder/seen"
}
case $(uname -m) in
x86_64)
    refused --target=aarch64-linux-gnu
    grep -qw avx512f /proc/cpuinfo || refused --mcpu=x86-64-v4
    grep -qw sm4 /proc/cpuinfo || refused --mattr=+sm4
    ;;
aarch64) refused --target=x86_64-linux-gnu ;;
esac
