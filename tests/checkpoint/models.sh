#!/bin/sh
# Compiled models, dense, convolutional, denoising and recurrent with a state that
# goes on from batch to batch: the same weights on 1, 2 and 3 threads, and after
# kill -9 and --resume; and of any batch.
set -u
. tests/lib.sh

kills=3
[ -z "${FULL:-}" ] || kills=20
root=$PWD
temporary_folder
cd "$folder" || exit 1
waves 1000 >waves.csv

head='data waves: [8, 8] = csv("waves.csv") / 255
data training, validation = split(waves, last: 100)
'
tail='
train on training(image) {
    validate on validation
    minimize mse(decoder(encoder(image)), image) using nadam()
    epochs 12
    batch 32
}'
cat >dense.nn <<END
$head
network encoder(image: [8, 8]) {
    flatten()
    dense(40, activation: relu)
    dense(10, activation: relu)
}
network decoder(coding: [10]) {
    dense(40, activation: relu)
    dense(64)
    reshape(8, 8)
}
$tail
END
cat >conv.nn <<END
$head
network encoder(image: [8, 8]) {
    reshape(8, 8, 1)
    conv2d(8, 3, padding: same, activation: relu)
    max_pool2d(2)
    batch_normalization()
    conv2d(10, 3, padding: same, activation: relu)
    global_average_pool2d()
}
network decoder(coding: [10]) {
    dense(2 * 2 * 8)
    reshape(2, 2, 8)
    conv2d_transpose(8, 3, strides: 2, padding: same, activation: relu)
    conv2d_transpose(1, 3, strides: 2, padding: same)
    reshape(8, 8)
}
$tail
END
cat >stateful.nn <<END
$head
network encoder(image: [8, 8]) {
    lstm(10, stateful: 40)
}
network decoder(coding: [10]) {
    repeat_vector(8)
    gru(8, return_sequences: true)
}
$tail
END
sed 's/    flatten()/    flatten()\n    dropout(0.5)/' dense.nn >denoising.nn

# same_bits MODEL [OPTION ...] -- threads, kills; then inference by the batch.
same_bits() {
    model=$1
    shift
    (cd "$root" && "$AECC" "$folder/$model.nn" -o "$folder/$model") || fail "$model.nn"
    for threads in 1 2 3; do
        "./$model" "$@" --threads $threads --quiet --save $threads.st --log $threads.jsonl \
            --log-steps || fail "$model on $threads threads"
        sed 's/,"seconds.*//' $threads.jsonl >$threads.rows
        same_files 1.st $threads.st
        same_files 1.rows $threads.rows
    done
    rm -f c
    for i in $(seq $kills); do
        "./$model" "$@" --quiet --save k.st --checkpoint c --every 3 --resume --log k.jsonl &
        run=$!
        sleep "$(awk -v i="$i" -v least=$least -v range=$range \
            'BEGIN { printf "%.3f", least + (i * 0.37) % range }')"
        kill -9 $run 2>/dev/null
        wait $run 2>/dev/null
        [ $? -ne 137 ] || killed=$((killed + 1))
    done
    "./$model" "$@" --quiet --save k.st --checkpoint c --resume --log k.jsonl ||
        fail "$model resumed"
    same_files 1.st k.st
    for batch in 1 24 256; do
        "./$model" encode --weights 1.st --batch $batch --out $batch.npy || fail "encode"
        same_files 1.npy $batch.npy
    done
}

# any_batch MODEL -- few and many blocks, whole and short, left over by threads.
any_batch() {
    for batch in 1 24 100 256 900; do
        for threads in 1 2 3 8; do
            "./$1" --batch $batch --steps 3 --threads $threads --quiet --save b$threads.st ||
                fail "$1, batch $batch on $threads threads"
            same_files b1.st b$threads.st
        done
    done
}
killed=0 least=0.05 range=0.15
same_bits dense
same_bits conv
any_batch conv
same_bits denoising
any_batch denoising
same_bits stateful
any_batch stateful
[ $killed -gt 0 ] || fail "no run was killed"
[ -n "${FULL:-}" ] && [ -d /usr/share/datasets/fashion-mnist ] || exit 0
least=0.3 range=1.3
for example in stacked_ae conv_ae denoising_ae; do
    cp "$root/examples/$example.nn" .
    same_bits $example --steps 500
done
