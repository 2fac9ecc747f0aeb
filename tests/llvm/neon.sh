#!/bin/sh
# Trainers for AArch64, linked here and run under qemu: after some steps the
# weights have the bits that AVX2 and AVX-512 give.
set -u
. tests/lib.sh
[ -n "${FULL:-}" ] || skip "an emulated processor, and packages for it: full tier only"
case $(uname -m) in x86_64) ;; *) skip "the other half of the comparison is x86-64" ;; esac
temporary_folder
triple=aarch64-linux-gnu
sh scripts/install-packages qemu-user-static || skip "no qemu"
sh scripts/cross-runtime $triple "$BUILD" || fail "no runtime for $triple"
cp examples/*.csv "$folder"

# train NAME COMMAND...
train() {
    name=$1
    shift
    (cd "$folder" &&
        "$@" train --quiet --steps "$steps" --batch 40 --save "$name.safetensors") \
        >"$folder/log" 2>&1 ||
        fail "$model, $name: $(cat "$folder/log")"
}

for run in 'pca 20' 'stacked_ae 5' 'denoising_ae 5' 'noise_ae 5' 'recurrent_ae 3' 'conv_ae 3'; do
    model=${run% *} steps=${run#* }
    program=$PWD/examples/$model.nn
    "$AECC" "$program" --mcpu=x86-64-v3,native -o "$folder/host" || fail "$model"
    train host "$folder/host"
    if grep -q '^flags.* avx2 ' /proc/cpuinfo; then
        AECC_CPU=x86-64-v3 train avx2 "$folder/host"
        same_files "$folder/host.safetensors" "$folder/avx2.safetensors"
    fi
    for cpu in generic neoverse-n1 apple-m1; do
        "$AECC" "$program" --target=$triple --mcpu=$cpu -o "$folder/arm" || fail "$model for $cpu"
        train arm qemu-aarch64-static -L /usr/$triple "$folder/arm"
        same_files "$folder/host.safetensors" "$folder/arm.safetensors"
        [ "$model" = pca ] || break
    done
done
