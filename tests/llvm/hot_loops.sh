#!/bin/sh
# The innermost loops of every contraction of the examples and of the larger models
# of bench/: full width, nothing spilled, nothing scalar.
set -u
. tests/lib.sh
temporary_folder

examples='conv_ae stacked_ae' larger=conv_128
[ -z "${FULL:-}" ] || examples='conv_ae stacked_ae denoising_ae noise_ae'
[ -z "${FULL:-}" ] || larger='conv_128 conv_64 conv_5x5'

# hot_loops FILE -- a line for each of at least 8 multiply-adds; its defects. A
# function of one sample and one channel has no vectors at all.
hot_loops() {
    awk '
        /^[^ \t#.].*:/ { name = $1; label = "" }
        /^\.LBB/ {
            label = $1
            sub(/:.*/, "", label)
            products = spills = narrow = 0
        }
        /vfmadd/ {
            products++
            if (/zmm/) wide[name] = 1
            else narrow++
        }
        /zmm/ && /\(%rsp/ { spills++ }
        /^[ \t]*j[a-z]+[ \t]/ && label != "" && $2 == label && products >= 8 &&
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

# check_model FILE LEAST
check_model() {
    name=$(basename "$1" .nn)
    "$AECC" "$1" --emit=asm --target=x86_64-linux-gnu --mcpu=x86-64-v4 -o "$folder/$name.s" ||
        fail "$1"
    hot_loops "$folder/$name.s" >"$folder/$name"
    [ "$(wc -l <"$folder/$name")" -ge "$2" ] || fail "$name: only $(wc -l <"$folder/$name") loops"
    awk '$4 || $5 { print; bad = 1 } END { exit bad }' "$folder/$name" ||
        fail "$name: function, loop, multiply-adds, spilled, not of full width"
}

for model in $examples; do
    check_model "examples/$model.nn" 1
done
for model in $larger; do
    check_model "bench/models/$model.nn" 100
done
