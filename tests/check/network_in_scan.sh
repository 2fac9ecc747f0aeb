#!/bin/sh
# A loop of a network, as diffusion models sample: gradients through the loop and
# machine code against the interpreter, and the same numbers as its steps done
# one by one.
set -u
. tests/lib.sh
temporary_folder
cd "$folder" || exit 1

cat >loop.nn <<'END'
data images: [6, 6] = npy("images.npy")
layer block(x: [batch, height, width, n], filters) {
    separable_conv2d(filters, 3, padding: same)
    activation(silu)
}
network denoiser(image: [6, 6], time: []) {
    x = reshape(image, 6, 6, 1)
    small = average_pool2d(block(x, 3), 2) + dense(reshape(time, 1), 3)
    large = upsample2d(block(small, 3), 2)
    return reshape(conv2d(concat(large, x), 1, 1), 6, 6)
}
network generator(noise: [6, 6]) {
    scan i in 0..3 carrying x = noise {
        time = 3 - i
        draw = if time > 1 then 0.1 * normal(6, 6) else 0
        x = x - 0.3 * denoiser(x, time / 3) + draw
    }
    return x
}
train on images(image) {
    minimize mse(generator(image), image) using adam()
}
END
for check in grad interp; do
    "$AECC" --check=$check loop.nn >log 2>&1 || { cat log; fail "--check=$check"; }
done

cat >steps.nn <<'END'
data points: [2] = csv("points.csv")
network direction(x: [2], time: []) {
    h = dense(concat(x, reshape(time, 1)), 8, tanh)
    return dense(h, 2)
}
network generator(noise: [2]) {
    scan i in 0..4 carrying x = noise {
        x = x - direction(x, 4 - i) / 4
    }
    return x
}
train on points(point) {
    minimize mse(generator(point), point) using sgd()
}
END
printf '0.5,-1\n2,0.25\n-0.75,1.5\n' >points.csv
"$AECC" steps.nn || fail "aecc steps.nn"
./steps --quiet || fail "steps"

numbers() {      # numbers FILE.npy: a row of two a line
    od -A n -v -t f4 -w8 -j 128 "$1" | awk '{ print $1 "," $2 }'
}
./steps run generator --in points.csv --out all.npy >/dev/null || fail "run generator"
cp points.csv x.csv
for time in 4 3 2 1; do
    printf '%s\n%s\n%s\n' $time $time $time >time.csv
    ./steps run direction --in x=x.csv --in time=time.csv --out d.npy >/dev/null ||
        fail "run direction"
    numbers d.npy | paste -d, x.csv - |
        awk -F, '{ printf "%.9g,%.9g\n", $1 - $3 / 4, $2 - $4 / 4 }' >next.csv
    mv next.csv x.csv
done
numbers all.npy | paste -d, x.csv - | awk -F, '
    { for (i = 1; i < 3; i++) if (($i - $(i + 2))^2 > 1e-10 * (1 + $i^2)) bad = 1 }
    END { exit bad || NR != 3 }' || { cat x.csv; numbers all.npy; fail "not the steps one by one"; }
