#!/bin/sh
# A bias before batch normalization has the gradient zero: what rounding
# leaves of it is no error, neither of the gradient nor of the kernels.
set -u
. tests/lib.sh
temporary_folder
cd "$folder" || exit 1

for using in 'plain()' 'nadam()' 'sgd(momentum: 0.9)'; do
    cat >zero.nn <<END
data images: [8, 8] = idx("a") / 255
optimizer plain(learning_rate = 0.1) {
    state g = 0
    g = gradient
    parameter = parameter - learning_rate * g
}
network f(image: [8, 8]) {
    reshape(8, 8, 1)
    conv2d(4, 3)
    batch_normalization()
    activation(tanh)
    flatten()
    dense(16)
    batch_normalization()
    activation(tanh)
    dense(64)
    reshape(8, 8)
}
train on images(image) {
    minimize sum((30 * f(image) - image)^2) using $using
}
END
    for check in grad interp; do
        "$AECC" --check=$check zero.nn >table 2>/dev/null || { cat table; fail "$check, $using"; }
    done
done
