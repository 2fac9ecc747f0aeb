#!/bin/sh
# Alternation: the same weights and log on 1, 2 and 3 threads, and after kill -9
# at any place of it and --resume, in the first and in the second block.
set -u
. tests/lib.sh

kills=3
[ -z "${FULL:-}" ] || kills=20
root=$PWD
temporary_folder
cd "$folder" || exit 1
waves 400 >waves.csv

networks='data waves: [8, 8] = csv("waves.csv") / 255
data training, validation = split(waves, last: 40)
network generator(coding: [6]) {
    dense(4 * 4 * 4)
    reshape(4, 4, 4)
    batch_normalization()
    activation(relu)
    conv2d_transpose(1, 3, strides: 2, padding: same, activation: sigmoid)
    reshape(8, 8)
}
network critic(image: [8, 8]) {
    reshape(8, 8, 1)
    conv2d(6, 3, strides: 2, padding: same, activation: leaky_relu)
    dropout(0.3)
    batch_normalization()
    flatten()
    dense(1)
}
'
# Each step has codings of its own; the second block goes on from the first.
cat >apart.nn <<END
$networks
network encoder(image: [8, 8]) {
    flatten()
    dense(6, tanh)
}
train on training(image) {
    minimize mse(generator(encoder(image)), image) using nadam()
    epochs 12
    batch 24
}
train on training(image) {
    validate on validation
    step critic repeat 3 {
        fake = generator(normal(6), training: false)
        t = uniform(0, 1, each: sample)
        between = t * image + (1 - t) * fake
        slope = grad(critic(between, update: false), between)
        minimize mean(critic(fake, update: false)) - mean(critic(image))
            + 10 * mean((norm(slope, each: sample) - 1)^2)
        update critic using adam(learning_rate: 1e-3, beta_1: 0)
    }
    step generator {
        minimize -mean(critic(generator(normal(6))))
        update generator using rmsprop()
    }
    epochs 12
    batch 24
}
END
# Both steps use the same samples: the last repetition is joined with what follows.
cat >joined.nn <<END
$networks
train on training(image) {
    fake = generator(normal(6))
    step critic repeat 2 {
        minimize (bce(sigmoid(critic(fake)), 0) + bce(sigmoid(critic(image)), 1)) / 2
        update critic using rmsprop()
    }
    step generator {
        minimize bce(sigmoid(critic(fake)), 1)
        update generator using adam()
    }
    epochs 12
    batch 24
}
train on training(image) {
    minimize mse(generator(normal(6)), image) + mean(critic(image)^2)
    update generator.dense_1 using sgd(momentum: 0.9)
    update critic using adam()
    epochs 12
    batch 40
}
END

train() {
    exec "./$model" --quiet --log-steps "$@"
}
rows() { sed 's/,"seconds.*//' "$1"; }
# A whole number of the checkpoint, 0 where there is none.
saved() {
    number=$(head -c 1000 c 2>/dev/null | grep -ao "\"$1\":[0-9]*" | head -n 1 | sed 's/.*://')
    echo "${number:-0}"
}

# killed_at STEP -- goes on, and is killed once a checkpoint has that step; false
# where it ended before.
killed_at() {
    (train --save k.st --log k.jsonl --checkpoint c --every 2 --resume) &
    run=$!
    while kill -0 $run 2>/dev/null && [ "$(saved step)" -lt "$1" ]; do
        sleep 0.01
    done
    sleep "$(awk -v i="$1" 'BEGIN { printf "%.3f", (i * 0.37) % 0.02 }')"
    kill -9 $run 2>/dev/null
    wait $run 2>/dev/null
    [ $? -eq 137 ]
}

same_after_kills() {
    model=$1
    (cd "$root" && "$AECC" "$folder/$model.nn" -o "$folder/$model") || fail "$model.nn"
    for threads in 1 2 3; do
        (train --threads $threads --save $threads.st --log $threads.jsonl) ||
            fail "$model on $threads threads"
        rows $threads.jsonl >$threads.rows
        same_files 1.st $threads.st
        same_files 1.rows $threads.rows
    done
    steps=$(grep -c '"step"' 1.jsonl)
    rm -f c k.jsonl # of the model before
    first=0 second=0
    for i in $(seq $kills); do
        killed_at $((i * steps / (kills + 1))) || continue
        [ "$(saved block)" -eq 0 ] && first=$((first + 1)) || second=$((second + 1))
    done
    [ $first -gt 0 ] && [ $second -gt 0 ] || fail "$model: killed $first and $second times"
    (train --save k.st --log k.jsonl --checkpoint c --resume) || fail "$model resumed"
    rows k.jsonl >k.rows
    same_files 1.st k.st
    same_files 1.rows k.rows
}
same_after_kills apart
same_after_kills joined
