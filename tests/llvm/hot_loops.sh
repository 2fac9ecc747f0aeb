#!/bin/sh
# The innermost loops of every contraction of the examples and of the larger models
# of bench/: full width, nothing spilled, nothing scalar, with AVX-512, AVX2 and NEON;
# those of dense layers with SSE2, too.
set -u
. tests/lib.sh
temporary_folder

examples='conv_ae stacked_ae' larger=conv_128
[ -z "${FULL:-}" ] || examples='conv_ae stacked_ae denoising_ae noise_ae'
[ -z "${FULL:-}" ] || larger='conv_128 conv_64 conv_5x5'

# kind LEVEL -- what a multiply-add, a full vector and an access to the stack look
# like.
kind() {
    triple=x86_64-linux-gnu product='vfmadd|fmla|fmadd'
    case $1 in
    avx512) cpu=x86-64-v4 vector=zmm stack='zmm.*[(]%rsp|[(]%rsp.*zmm' ;;
    avx2) cpu=x86-64-v3 vector=ymm stack='ymm.*[(]%rsp|[(]%rsp.*ymm' ;;
    sse2) cpu=x86-64 vector=xmm stack='xmm.*[(]%rsp|[(]%rsp.*xmm' product='mul[ps]s' ;;
    neon) cpu=cortex-a72 triple=aarch64-linux-gnu vector='[.]4s' stack='q[0-9]+.*[[]sp' ;;
    esac
}

# hot_loops FILE -- a line for each of at least 8 multiply-adds; its defects. A
# function of one sample and one channel has no vectors at all.
hot_loops() {
    awk -v vector="$vector" -v stack="$stack" -v product="^[ \\t]*($product)" '
        /^[^ \t#.].*:/ { name = $1; label = "" }
        /^\.LBB/ {
            label = $1
            sub(/:.*/, "", label)
            products = spills = narrow = 0
        }
        $0 ~ product {
            products++
            if ($0 ~ vector) wide[name] = 1
            else narrow++
        }
        $0 ~ stack { spills++ }
        /^[ \t]*(j[a-z]+|b\.[a-z]+)[ \t]/ && label != "" && $2 == label && products >= 8 &&
            name ~ /contract/ {
            function_of[++n] = name
            loop[n] = name " " label " " products " " spills + 0
            less[n] = narrow + 0
        }
        END {
            for (i = 1; i <= n; i++)
                print loop[i], function_of[i] in wide ? less[i] : 0
        }' "$1"
}

# check_model LEVEL FILE LEAST
check_model() {
    kind "$1"
    name=$(basename "$2" .nn).$1
    "$AECC" "$2" --emit=asm --target=$triple --mcpu=$cpu -o "$folder/$name.s" || fail "$2"
    hot_loops "$folder/$name.s" >"$folder/$name"
    [ "$(wc -l <"$folder/$name")" -ge "$3" ] || fail "$name: only $(wc -l <"$folder/$name") loops"
    awk '$4 || $5 { print; bad = 1 } END { exit bad }' "$folder/$name" ||
        fail "$name: function, loop, multiply-adds, spilled, not of full width"
}

for model in $examples; do
    check_model avx512 "examples/$model.nn" 1
    check_model avx2 "examples/$model.nn" 1
    check_model neon "examples/$model.nn" 1
done
check_model sse2 examples/stacked_ae.nn 1
for model in $larger; do
    check_model avx512 "bench/models/$model.nn" 100
    check_model neon "bench/models/$model.nn" 100
done
