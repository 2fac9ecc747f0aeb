#!/bin/sh
# Machine code of the layers of sequences and of adversarial networks against the
# interpreter: each that tests/check compares with Keras, forward and in a
# training step with gradients by weights and input, the networks of one input
# in one program.
set -u
. tests/lib.sh
temporary_folder

awk -F ' [|] ' -v folder="$folder" '
    $1 != "layer" || $3 !~ /1d|rnn|lstm|gru|repeat_vector|time_distributed|embedding/ &&
        $3 !~ /parametrize|minibatch/ { next }
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
# States of places of every shape, fewer places than samples, two calls.
cat >"$folder/places.nn" <<'END'
data a: [2, 3] = npy("a.npy")
layer scalar_(x: [batch, ...]) {
    state h: [batch <= 8] = 0
    update h = h / 2 + sum(x, each: sample)
    return x + h
}
layer open_(x: [batch, ...]) {
    state h: [batch <= 20, ...] = zeros
    update h = h / 2 + x
    return x + h * h
}
layer number(x: [batch, ...]) {
    state h: [batch <= 1, 2, 1, 2] = 0
    update h = 1
    return x + sum(h, each: sample)
}
layer never(x: [batch, ...]) {
    state h: [batch <= 4, 5] = 0
    return x + sum(h, each: sample)
}
layer deep(x: [batch, a, b]) {
    state h: [batch <= 4, 1, 1, 1, 1, 1, a, b] = 0
    update h = reshape(x, 1, 1, 1, 1, 1, a, b)
    return x + reshape(h, a, b)
}
network f(x: [2, 3]) {
    scalar_()
    open_()
    number()
    never()
    deep()
    dense(3)
}
train on a(x) {
    minimize mean(f(x)^2) + mean(f(2 * x)) using sgd()
}
END
[ "$(cat "$folder"/*.nn | grep -c '^network')" -gt 70 ] || fail "layers are missing"
for file in "$folder"/*.nn; do
    "$AECC" --check=interp "$file" >"$folder/table" 2>&1 ||
        { cat "$folder/table"; fail "machine code differs"; }
done
