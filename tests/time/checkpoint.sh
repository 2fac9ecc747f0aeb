#!/bin/sh
# Checkpoints change no value: the models of models.nn with some of every kind,
# and what a long lstm keeps with and without.
. tests/lib.sh
temporary_folder
sed -e 's/npy("x.npy", lengths: "n.npy")/csv("x.csv", series: "id")/' tests/time/models.nn \
    >"$folder/plain.nn"
sed -e 's/backwards carrying/backwards checkpoint 3 carrying/' \
    -e 's/(x) carrying/(x) checkpoint 2 carrying/' \
    -e 's/gru(units: 4,/gru(units: 4, checkpoint: 4,/' \
    -e 's/lstm(w, 4)/lstm(w, 4, checkpoint: 100)/' \
    -e 's/simple_rnn(5,/simple_rnn(5, checkpoint: 1,/' "$folder/plain.nn" >"$folder/marked.nn"
[ "$(grep -c checkpoint "$folder/marked.nn")" = 5 ] || fail "checkpoints are missing"
"$AECC" --check=grad "$folder/marked.nn" || fail "gradients"
"$AECC" --check=interp "$folder/marked.nn" || fail "machine code"

# 40 sequences of 1 to 7 steps.
awk 'BEGIN {
    print "id,a,b,c"
    for (s = 0; s < 40; s++)
        for (t = 0; t <= s % 7; t++)
            printf "%d,%.4f,%.4f,%.4f\n", s, sin(s + t), cos(2 * s - t), sin(s * t) }' \
    >"$folder/x.csv"
cd "$folder" || exit 1
for name in plain marked; do
    "$AECC" "$name.nn" -o $name || fail "$name"
    ./$name --steps 1 --seed 5 --log $name.jsonl --log-steps --save $name.safetensors --quiet ||
        fail "training $name"
    ./$name run encoder --weights plain.safetensors --in x.csv --out $name.npy || fail "run $name"
    ./$name evaluate --weights plain.safetensors >$name.txt || fail "evaluate $name"
    grep '"step":1,"loss"' $name.jsonl >$name.loss
done
same_files plain.npy marked.npy
same_files plain.txt marked.txt
same_files plain.loss marked.loss

# What training keeps of 2,800 steps: bytes of a sample, and once.
long() {
    cat >long.nn <<END
data d = npy("x.npy")
network f(x: [2800, 28]) {
    lstm(100$1)
}
train on d(x) {
    minimize mean(f(x)^2) using sgd()
}
END
    "$AECC" --stats --stop-after=plan long.nn 2>&1 |
        awk '/train_1.step/ { each += $3; once += $4 } END { print each, once }'
}
[ "$(long)" = "12320800 0" ] || fail "kept without checkpoints: $(long)"
[ "$(long ', checkpoint: 50')" = "437600 11468800" ] ||
    fail "kept with checkpoints: $(long ', checkpoint: 50')"

# Threads meet before a stretch and before its sums over the batch, not in its steps.
"$AECC" --emit=fused long.nn | sed -n '/^program "train_1.step"/,/^program "train_1.o/p' >fused
meetings=$(grep -c '^kernel.* barrier scan' fused)
[ "$meetings" = 2 ] || fail "$meetings meetings in a stretch"
