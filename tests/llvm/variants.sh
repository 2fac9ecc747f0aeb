#!/bin/sh
# One trainer with code for several processors: it takes the best that runs
# here, or what AECC_CPU names; memory, checkpoints and, with fused multiply-add,
# results are the same.
set -u
. tests/lib.sh
temporary_folder
case $(uname -m) in x86_64) ;; *) skip "the processors named here are x86-64" ;; esac
root=$PWD
features=$(grep -m 1 '^flags' /proc/cpuinfo)
"$AECC" examples/pca.nn --mcpu=x86-64,x86-64-v3,x86-64-v4 -o "$folder/three" ||
    fail "no trainer for three processors"
"$AECC" examples/pca.nn -o "$folder/one" || fail "no trainer"
cp examples/pca_points.csv "$folder"
cd "$folder" || exit 1

case $features in
*avx512vl*) known='x86-64 x86-64-v3 x86-64-v4' best=x86-64-v4 ;;
*avx2*fma* | *fma*avx2*) known='x86-64 x86-64-v3' best=x86-64-v3 ;;
*) known=x86-64 best=x86-64 ;;
esac
./three --version >seen
expect_text "code for $best" seen
./three summary >seen
expect_text "Code for: $best" seen

# train CPU TRAINER OPTION...
train() {
    AECC_CPU=$1 "./$2" train --quiet --no-shuffle --checkpoint "$1.ckpt" --save "$1.safetensors" \
        --steps "$3" || fail "$2 for $1"
}
for cpu in $known; do
    AECC_CPU=$cpu ./three --version >seen
    expect_text "code for $cpu" seen
    train "$cpu" three 30
    "$AECC" "$root/examples/pca.nn" --mcpu="$cpu" -o alone || fail "--mcpu=$cpu"
    AECC_CPU= ./alone train --quiet --no-shuffle --save alone.safetensors --steps 30 ||
        fail "alone for $cpu"
    same_files alone.safetensors "$cpu.safetensors"
done
case $known in *v4) same_files x86-64-v3.safetensors x86-64-v4.safetensors ;; esac

# A run goes on with other code: the program is the same.
train x86-64 three 30
mv x86-64.ckpt "$best.ckpt"
AECC_CPU=$best ./three train --quiet --no-shuffle --resume --checkpoint "$best.ckpt" --steps 40 ||
    fail "a checkpoint of another processor's code"

# What it cannot do, it says.
refused() {
    AECC_CPU=$1 ./three summary >seen 2>&1
    [ $? -eq 2 ] || fail "AECC_CPU=$1: status"
    expect_text "$2" seen
}
refused haswell "it has code for x86-64, x86-64-v3, x86-64-v4"
[ $best = x86-64-v4 ] || refused x86-64-v4 "this CPU lacks"
"$AECC" "$root/examples/pca.nn" --mcpu=x86-64,x86-64 -o twice 2>seen
[ $? -eq 2 ] || fail "a processor named twice"
expect_text "names x86-64 twice" seen
"$AECC" "$root/examples/pca.nn" --mcpu=x86-64-v3,haswel -o wrong 2>seen
[ $? -eq 2 ] || fail "a wrong name in the list"
expect_text "haswel" seen

# As one object, too.
"$AECC" "$root/examples/pca.nn" --mcpu=x86-64,x86-64-v3 --emit=asm -o both.s || fail "--emit=asm"
expect_text vfmadd both.s
expect_text mulps both.s
