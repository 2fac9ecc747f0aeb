#!/bin/sh
# Data that networks made: which samples a pass gets, exactly; the same bits on any number
# of threads and after a kill; an evaluation.
set -u
. tests/lib.sh
temporary_folder
cd "$folder" || exit 1
awk 'BEGIN { for (i = 0; i < 40; i++) print i / 10 }' >ones.csv

# w grows by one in each pass, and a sample is w: so a sample tells when it was made. The
# step `seen` moves nothing, and its loss is the mean of what was drawn.
counter() {   # counter SIZE BATCH
    cat >counter.nn <<END
data ones: [] = csv("ones.csv")
data earlier = replay(clock(normal(1)), size: $1)
data both = zip(ones, earlier)
network clock(z: [1]) {
    param w: [] = 0
    return w + 0 * z
}
network still(x: [1]) {
    param v: [] = 0
    return x + 0 * v
}
train on both(one, old) {
    step seen {
        minimize mean(still(old)) + 0 * mean(one)
        update still using sgd(learning_rate: 1)
    }
    step tick {
        minimize -mean(clock(normal(1)))
        update clock using sgd(learning_rate: 1)
    }
    epochs 1
    batch $2
}
END
    "$AECC" counter.nn -o counter || fail "counter $*"
    ./counter --log-steps --log log --quiet 2>said || fail "counter $*"
    sed -n 's/.*"seen.loss":\([^,]*\),.*"tick.*/\1/p' log |
        awk -v n=$((40 / $2)) 'NR <= n { print $1 + 0 }' >seen
}
# One is kept: what the pass before made.
counter 1 1
seq 0 39 >wanted
same_files seen wanted
# Three are kept: of the last three passes, each of them at times.
counter 3 1
awk '{ age = NR - 1 - $1; if (age < 0 || (age > 2 && NR > 3) || $1 < 0) bad = 1
       if (NR > 3) n[age]++ }
     END { exit bad || !(n[0] > 5 && n[1] > 5 && n[2] > 5) }' seen || fail "ages: $(cat seen)"
# Four in a batch of two: of the last two passes; means of two draws.
counter 4 2
awk '{ age = NR - 1 - $1; if (age < 0 || (age > 1 && NR > 2)) bad = 1; half += age == 0.5 }
     END { exit bad || !half }' seen || fail "ages in batches: $(cat seen)"
# Fewer than a batch.
counter 3 8
awk '$1 != NR - 1 { exit 1 }' seen || fail "fewer than a batch: $(cat seen)"

awk 'BEGIN { srand(3); for (i = 0; i < 400; i++) { t = 6.2832 * rand()
    printf "%.5f,%.5f,%.5f\n", cos(t), sin(t), 0.2 * rand() } }' >points.csv
cat >gan.nn <<'END'
data points = csv("points.csv")
data more = replay(2 * normal(3), size: 50)
data earlier = replay(generator(normal(4)), size: 100)
data all = zip(zip(points, earlier), more / 2)
network generator(coding: [4]) {
    dense(16, leaky_relu)
    batch_normalization()
    dense(3)
}
network discriminator(point: [3]) {
    dense(16, leaky_relu)
    dense(1, sigmoid)
}
train on all(point, old, other) {
    step discriminator repeat 2 {
        made = (bce(discriminator(old), 0) + bce(discriminator(other), 0)) / 4
        minimize made + bce(discriminator(point), 1) / 2
        update discriminator using adam(learning_rate: 0.002)
    }
    step generator {
        minimize bce(discriminator(generator(normal(4))), 1)
        update generator using adam(learning_rate: 0.002)
    }
    epochs 6
    batch 24
}
END
"$AECC" gan.nn -o gan || fail "gan.nn"
./gan --threads 2 --log whole.jsonl --save whole.safetensors --quiet || fail "whole"
for k in 1 2 3; do
    ./gan --threads 1 --log parts.jsonl --save parts.safetensors --checkpoint c --resume \
        --steps $((k * 13)) --quiet || fail "resume $k"
done
./gan --log parts.jsonl --save parts.safetensors --checkpoint c --resume --quiet || fail "resume"
same_files whole.safetensors parts.safetensors
for file in whole parts; do sed 's/,"seconds".*//' $file.jsonl >$file.rows; done
same_files whole.rows parts.rows
# The samples are in the checkpoint: 50 and 100 of three numbers.
[ "$(wc -c <c)" -gt $((150 * 12)) ] || fail "samples are missing in the checkpoint"
head -c 2000 c >short && cp short c
expect_status 1 ./gan --checkpoint c --resume --quiet 2>said
# What judges is compared with the data, not with what was made before.
tail -n 1 whole.jsonl | grep -q '"generator.spread":' || fail "no spread"
./gan evaluate >one --weights whole.safetensors || fail "evaluate"
./gan evaluate --threads 1 >two --weights whole.safetensors && same_files one two
expect_text "samples                  400" one
# Nothing but the validation draws from the second one, whose samples are sevens.
cat >sevens.nn <<'END'
data ones: [] = csv("ones.csv")
data earlier = replay(1 + 0 * made(normal(1)), size: 10)
data sevens = replay(7 + 0 * made(normal(1)), size: 10)
data training = zip(ones, earlier)
data validation = zip(ones, sevens)
network made(z: [1]) { dense(1) }
network still(x: [1]) { dense(1) }
train on training(one, old) {
    minimize mean(old) + 0 * mean(still(old)) + 0 * mean(one) using sgd()
    validate on validation
    epochs 2
    batch 8
}
END
"$AECC" sevens.nn -o sevens 2>said || fail "sevens: $(cat said)"
./sevens --log sevens.jsonl --quiet || fail "sevens"
[ "$(grep -c '"val_loss":7[,}]' sevens.jsonl)" -eq 2 ] || fail "$(cat sevens.jsonl)"
