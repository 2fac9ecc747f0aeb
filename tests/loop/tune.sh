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
model=pca
compile() {
    name=$1
    shift
    "$AECC" examples/$model.nn -o "$folder/$name" "$@" 2>"$folder/seen" ||
        fail "$*: $(cat "$folder/seen")"
}

# train NAME THREADS -- the weights after some steps; fails without data.
train() (
    cd "$folder" || exit 1
    "./$1" train --quiet --steps 3 --threads "$2" --save "$1.$2.safetensors" 2>"$folder/log"
)

# Models with contractions of all kinds, at batch 32; one of them in a scan.
for model in stacked_ae recurrent_ae conv_ae; do
    compile plain
    compile tuned --tune
    expect_text " timed, " "$folder/seen"
    cmp -s "$folder/plain" "$folder/tuned" && fail "$model: tuning changes nothing"
    if ! train plain 1; then
        expect_text "train-images-idx3-ubyte" "$folder/log"
        continue # no data here
    fi
    for threads in 1 2; do
        train tuned $threads || fail "$model: $(cat "$folder/log")"
        same_files "$folder/plain.1.safetensors" "$folder/tuned.$threads.safetensors"
    done
done

rm "$cache"
model=pca
compile plain
compile tuned --tune
expect_text " timed, " "$folder/seen"
train plain 1 && train tuned 1 || fail "training"
same_files "$folder/plain.1.safetensors" "$folder/tuned.1.safetensors"
[ -s "$cache" ] || fail "no file of schedules"

# A second time nothing is timed, and the trainer is the same.
compile again --tune
expect_text "known from $cache" "$folder/seen"
grep -q timed "$folder/seen" && fail "timed again"
same_files "$folder/tuned" "$folder/again"

# --stats shows what was taken.
compile again --tune --stats
cut -f 3 "$cache" | while read -r schedule; do
    expect_text ": $schedule" "$folder/seen"
done || exit 1

# Without --tune the file is not read.
compile plain2
same_files "$folder/plain" "$folder/plain2"

# What another build measured does not count, but stays.
sed 's/-[0-9a-f]*-/-0123456789abcdef-/' "$cache" >"$folder/older"
cp "$folder/older" "$cache"
compile newer --tune
expect_text " timed, " "$folder/seen"
grep -q known "$folder/seen" && fail "schedules of another build"
grep -vxFf "$cache" "$folder/older" && fail "lines of another build are gone"

# Several runs at once: each keeps what the others have measured.
rm "$cache"
at_once() {
    for k in 4 6 8 10; do
        sed "s/dense(2)/dense($k)/; s/coding: .2/coding: [$k/" examples/pca.nn \
            >"$folder/coding$k.nn"
        "$AECC" "$folder/coding$k.nn" --tune -o "$folder/coding$k" 2>"$folder/seen$k" &
    done
    wait
}
at_once
at_once
for k in 4 6 8 10; do
    expect_text " known from " "$folder/seen$k"
    grep -q " timed, " "$folder/seen$k" && fail "what was measured at the same time is lost"
done

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
(
    unset XDG_CACHE_HOME
    HOME=$folder/absent
    export HOME
    compile homeless --tune
) || exit 1
[ ! -e "$folder/absent" ] || fail "a home is made"

# Only what this machine runs can be timed.
refused() {
    expect_status 2 "$AECC" examples/pca.nn --tune --emit=obj -o "$folder/x.o" "$@" \
        2>"$folder/seen"
    expect_text "--tune measures on this machine" "$folder/seen"
    expect_text "compile without --tune" "$folder/seen"
}
case $(uname -m) in
x86_64)
    # FMA4, which nobody has asked about, ends in an unknown instruction; some
    # processors have it and do not say so.
    grep -q -e ' fma4 ' -e '^cpu family.*: 23$' /proc/cpuinfo || refused --mcpu=bdver2
    refused --target=aarch64-linux-gnu
    grep -qw avx512f /proc/cpuinfo || refused --mcpu=x86-64-v4
    grep -qw sm4 /proc/cpuinfo || refused --mattr=+sm4
    ;;
aarch64) refused --target=x86_64-linux-gnu ;;
esac
