#!/bin/sh
# The same program gives the same bits at every -O level and for every processor
# with fused multiply-add that this machine can run.
set -u
. tests/lib.sh
temporary_folder

features=$(grep -m 1 '^flags' /proc/cpuinfo)
runs_on() {
    case $1 in
    *v4*) case $features in *avx512vl*) ;; *) return 1 ;; esac ;;
    *v3* | *+fma*) case $features in *fma*avx2* | *avx2*fma*) ;; *) return 1 ;; esac ;;
    esac
}

# MODEL STEPS OPTION...: the weights after so many steps.
weights() {
    model=$1 steps=$2
    shift 2
    "$AECC" "$PWD/examples/$model.nn" "$@" -o "$folder/trainer" || fail "aecc $model $*"
    (cd "$folder" && ./trainer train --quiet --no-shuffle --steps "$steps" --save w.safetensors) \
        >"$folder/log" 2>&1 || fail "$model $*: $(cat "$folder/log")"
    cksum <"$folder/w.safetensors"
}

for run in 'pca 20' 'conv_ae 2'; do
    want=$(weights $run -O2) || exit 1
    for options in -O0 -O1 -O3 --mcpu=x86-64-v3 --mcpu=x86-64-v4 '--mcpu=x86-64 --mattr=+fma'; do
        runs_on "$options" || continue
        got=$(weights $run $options) || exit 1
        [ "$got" = "$want" ] || fail "$run: other bits with $options"
    done
done

# Names that LLVM does not know are wrong usage, with the nearest.
refused() {
    near=$1
    shift
    "$AECC" examples/pca.nn --emit=obj "$@" -o "$folder/o" 2>"$folder/message"
    status=$?
    [ $status -eq 2 ] || fail "$*: status $status"
    grep -q "$near" "$folder/message" || fail "$*: $(cat "$folder/message")"
    [ ! -e "$folder/o" ] || fail "$*: an output is left"
}
refused 'mean haswell' --target=x86_64-linux-gnu --mcpu=haswel
refused 'mean avx512vl' --target=x86_64-linux-gnu --mattr=+avx512vv
refused 'nonsense' --target=nonsense
refused '64-bit' --target=i386-linux-gnu
"$AECC" examples/pca.nn --emit=obj --target=x86_64-linux-gnu --mcpu=help -o "$folder/o" |
    grep -q znver4 || fail "--mcpu=help does not list processors"
