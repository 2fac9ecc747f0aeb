#!/bin/sh
# Hints: what was probably meant.
set -u
. tests/lib.sh
temporary_folder
cd "$folder" || exit 1

# hints TEXT LINE ... -- a network of these lines, and two data sources, gives
# a message with that hint.
hints() {
    text=$1
    shift
    {
        echo 'data a = zip(npy("x.npy"), npy("y.npy"))'
        echo 'network f(x: [8, 8, 6]) {'
        printf '    %s\n' "$@"
        echo '}'
        echo 'train on a(x, y) {'
        echo '    minimize mse(f(x), y) using sgd()'
        echo '}'
    } >hints.nn
    expect_status 1 "$AECC" --stop-after=check --color=never hints.nn 2>messages
    grep "hint: " messages | grep -qF -- "$text" || { cat messages; fail "no hint $text"; }
}

hints 'inside an expression the argument is written: `dense(x, 3, relu)`' 'y = x + dense(3, relu)' y
hints 'argument is written: `lstm(x, 3)`; where a layer takes a layer, `lstm(units: 3)`' \
    'bidirectional(lstm(3))'
hints '`return_sequences: true` makes `lstm` give all steps' 'reshape(8, -1)' 'lstm(3)' 'gru(3)'
hints 'each sequence has a name, in their order: `scan s, t in x, y`' 'scan s, t in x {' \
    '    emit s' '}' emitted
hints 'it stands behind a scan with an `emit` in its block' emitted
hints 'did you mean `max_pool1d`?' 'MaxPooling1D(2)'
hints 'did you mean `upsample1d`?' 'UpSampling1D(2)'
hints 'inside an expression the argument is written: `reshape(x, …)`' 'y = x + reshape(8, 8, 6)' y
hints 'write `y = dense(h, 10, softmax)` or `return dense(h, 10, softmax)`' \
    'h = flatten(x)' 'dense(h, 10, softmax)'

hints 'inside an expression the argument is written: `flatten(x)`' 'y = x + flatten()' y

# A swap of neighbours is one edit, and a name of the right kind is meant.
hints 'did you mean `same`?' 'conv2d(8, 3, padding: smae)'
hints 'did you mean `same`?' 'conv2d(8, 3, 1, smae)'
hints 'did you mean `valid`?' 'conv2d(8, 3, padding: vaild)'
hints 'did you mean `relu`?' 'dense(8, activation: rleu)'
expect_status 1 "$AECC" --stop-after=check --color=never hints.nn 2>messages
sed 's/activation: rleu/init: same_/; s/dense/conv2d/; s/(8/(8, 3/' hints.nn >kinds.nn
sed 's/init: same_/padding: full/' kinds.nn >full.nn
expect_status 1 "$AECC" --stop-after=check --color=never full.nn 2>messages
expect_text 'unknown name `full`' messages
! grep -q 'fill' messages || fail "full is no fill"

hints 'give the file a name first, `data y: [28, 28] = npy("y.npy")`, and `zip` the name' 'x'
