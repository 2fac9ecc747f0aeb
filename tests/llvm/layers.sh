#!/bin/sh
# Machine code of the layers of sequences against the interpreter: each that
# tests/check compares with Keras, forward and in a training step with gradients
# by weights and input, the networks of one input in one program.
set -u
. tests/lib.sh
temporary_folder

awk -F ' [|] ' -v folder="$folder" '
    $1 != "layer" || $3 !~ /1d|rnn|lstm|gru|repeat_vector|time_distributed|embedding/ { next }
    {
        if (!($2 in n))
            shapes[++count] = $2
        i = ++n[$2]
        size = $2
        gsub(/ /, ", ", size)
        networks[$2] = networks[$2] "network f" i "(x: [" size "]) {\n    " $3 "\n}\n"
        sum[$2] = sum[$2] (i > 1 ? "\n        + " : "") "mean(f" i "(scaled(x))^2)"
        sizes[$2] = size
    }
    END {
        for (k = 1; k <= count; k++) {
            s = shapes[k]
            path = folder "/" k ".nn"
            printf "data a: [%s] = npy(\"a.npy\")\n%s", sizes[s], networks[s] >path
            printf "network scaled(x) {\n    param w: [] = 1\n    return w * x\n}\n" >path
            printf "train on a(x) {\n    minimize %s\n", sum[s] >path
            print "        using sgd()\n}" >path
        }
    }' tests/check/golden.txt
[ "$(cat "$folder"/*.nn | grep -c '^network')" -gt 70 ] || fail "layers are missing"
for file in "$folder"/*.nn; do
    "$AECC" --check=interp "$file" >"$folder/table" 2>&1 ||
        { cat "$folder/table"; fail "machine code differs"; }
done
