#!/bin/sh
# A program imported with its weights, and the numbers of report blocks: known values,
# those of another program's features, what is said where the weights are not there.
set -u
. tests/lib.sh
temporary_folder
cd "$folder" || exit 1

# Three classes, told apart by which of three numbers is the largest.
awk 'BEGIN { srand(2); for (i = 0; i < 300; i++) { k = i % 3; for (j = 0; j < 3; j++)
    printf "%s%.5f", j ? "," : "", (j == k) + 0.4 * rand(); print "" } }' >points.csv
awk 'BEGIN { for (i = 0; i < 300; i++) print i % 3 }' >labels.csv
cat >judge.nn <<'END'
data points: [3] = csv("points.csv")
data labels: [] = csv("labels.csv")
data labelled = zip(points, labels)
let wide = 3
layer twice(x) {
    return 2 * x
}
network features(point: [3]) {
    twice()
    dense(wide)
}
network classes(feature: [3]) {
    dense(3, softmax)
}
train on labelled(point, label) {
    minimize sparse_categorical_crossentropy(classes(features(point)), label)
        using adam(learning_rate: 0.05)
    epochs 20
}
report on labelled(point, label) {
    metric(accuracy(classes(features(point)), label), name: accuracy)
    metric(mean(point), name: middle)
    metric(mean(point), name: "first", count: 10)
    histogram(classes(features(point)), name: counts)
    histogram(classes(features(point)), count: 4)
    frechet(point, point + 3 * one_hot(0, 3))
    frechet(point, point, name: same)
}
END
"$AECC" judge.nn -o judge || fail "judge.nn"

# A generator that cannot make the third class.
cat >maker.nn <<'END'
import "judge.nn" using "judge.safetensors"
data points: [3] = csv("points.csv")
network generator(coding: [2]) {
    dense(8, relu)
    dense(2, sigmoid)
}
let whole(fake) = pad(0.5 + fake, [0], [1])
network critic(point: [3]) {
    dense(8, relu)
    dense(1, sigmoid)
}
train on points(point) {
    step critic {
        fake = whole(generator(normal(2)))
        minimize (bce(critic(fake), 0) + bce(critic(point), 1)) / 2
        update critic using adam(learning_rate: 0.01)
    }
    step generator {
        minimize bce(critic(whole(generator(normal(2)))), 1)
        update generator using adam(learning_rate: 0.01)
    }
    epochs 4
}
report on points(point) {
    fake = whole(generator(normal(2)))
    frechet(features(fake), features(point))
    histogram(classes(features(fake)))
    histogram(classes(features(point)), name: data, count: 30)
}
END
"$AECC" maker.nn -o maker || fail "maker.nn"

# Trains without the weights of the other, but cannot score.
./maker --quiet || fail "maker trains alone"
expect_status 2 ./judge --score 1 --in x 2>said
expect_status 1 ./maker --score 2 2>said
expect_text "judge.safetensors: no such file" said
expect_text "the trainer of the program that maker.nn imports writes it" said
expect_status 1 ./maker evaluate >out 2>said
expect_text "judge.safetensors: no such file" said

./judge --quiet || fail "judge"
./judge evaluate --json >out || fail "judge evaluate"
field() { sed "s/.*\"$1\":\([^],}]*\).*/\1/" out; }
expect_text '"accuracy":1,' out
expect_text '"counts":[100,100,100]' out
expect_text '"histogram":[2,1,1]' out
awk -v d="$(field frechet)" -v s="$(field same)" '
    BEGIN { exit !((d - 9) ^ 2 < 1e-8 && s < 1e-9) }' || fail "Fréchet: $(cat out)"
awk -F, -v m="$(field middle)" -v f="$(field first)" '
    { for (i = 1; i <= 3; i++) { s += $i; if (NR <= 10) t += $i } }
    END { exit !((s / 900 - m) ^ 2 < 1e-10 && (t / 30 - f) ^ 2 < 1e-10) }' points.csv ||
    fail "metric: $(cat out)"
./judge evaluate >out || fail "judge evaluate"
expect_text "counts                   100 100 100" out
./judge evaluate --in points.csv --in labels.csv --batch 7 >again || fail "evaluate --in"
grep -v loss out >a; grep -v loss again >b
same_files a b

./maker evaluate --json >out || fail "maker evaluate"
expect_text '"data":[10,10,10]' out
grep -q '"histogram":\[[0-9]*,[0-9]*,0\]' out || fail "the third class cannot be: $(cat out)"
./maker evaluate --threads 1 --json >again && same_files out again
# Networks that come with their weights are not saved, and are none of its commands'.
! grep -q features maker.safetensors || fail "weights of another program are saved"
expect_status 2 ./maker run features --in points.csv --out x.npy 2>said
expect_text "has no network features" said

# --score: every second epoch; the same as evaluate says, and no bit of training changes.
cp maker.safetensors before
./maker --score 2 --log log.jsonl 2>said || fail "--score: $(cat said)"
same_files before maker.safetensors
[ "$(grep -c '"frechet"' log.jsonl)" -eq 2 ] || fail "rows with scores"
expect_text '"histogram":[' log.jsonl
expect_text "  frechet: " said
distance=$(field frechet)
tail -n 1 log.jsonl | grep -qF "\"frechet\":$distance," ||
    fail "--score is not what evaluate says: $distance"
cat >plain.nn <<'END'
data points = csv("points.csv")
network encoder(point: [3]) {
    dense(2)
}
network decoder(coding: [2]) {
    dense(3)
}
train on points(point) {
    minimize mse(decoder(encoder(point)), point) using adam()
}
END
"$AECC" plain.nn -o plain || fail "plain.nn"
expect_status 2 ./plain --score 1 2>said
expect_text "--score needs numbers to compute" said
expect_text "metric(accuracy(classifier(x), label))" said

# Compression: codings to a file and back have the error that evaluate says.
./plain --quiet || fail "plain"
./plain evaluate --json >out || fail "plain evaluate"
expect_text '"bytes":8,"ratio":1.5,"error":' out
./plain encode --out codings.npy && ./plain run decoder --in codings.npy --out back.npy ||
    fail "encode and decode"
tail -c 3600 back.npy | od -v -An -t f4 | tr -s ' \n' '\n\n' | grep . >back
tr ',' '\n' <points.csv | paste - back | awk -v e="$(field error)" '
    { s += ($1 - $2) ^ 2 }
    END { exit !((s / NR / e - 1) ^ 2 < 1e-8) }' ||
    fail "the error of decoded codings is not $(field error)"
{
    cat plain.nn
    echo 'report on points(point) {'
    echo '    compression(encoder(point), decoder(encoder(point)), point, bits: 1)'
    echo '}'
} >bits.nn
"$AECC" bits.nn -o bits || fail "bits.nn"
./bits evaluate --json --weights plain.safetensors >out || fail "bits evaluate"
expect_text '"bytes":1,"ratio":12,"error":' out

# Going on from the weights of another program: they are needed, trained and saved.
cat >tuned.nn <<'END'
import "judge.nn" using "judge.safetensors"
data points: [3] = csv("points.csv")
data labels: [] = csv("labels.csv")
data labelled = zip(points, labels)
train on labelled(point, label) {
    minimize sparse_categorical_crossentropy(classes(features(point)), label)
    update classes using sgd(learning_rate: 0.001)
}
report on labelled(point, label) {
    metric(accuracy(classes(features(point)), label), name: accuracy)
}
END
"$AECC" tuned.nn -o tuned || fail "tuned.nn"
./tuned --steps 1 --quiet || fail "tuned"
grep -q classes.dense_1.kernel tuned.safetensors || fail "what is trained is saved"
! grep -q features tuned.safetensors || fail "what is not trained is not saved"
./tuned evaluate >out || fail "tuned evaluate"
expect_text "accuracy                 1" out
./tuned run classes --in points.csv --out y.npy || fail "a network that is trained is a command's"
mv judge.safetensors away
expect_status 1 ./tuned 2>said
expect_text "judge.safetensors: no such file" said
expect_status 1 ./tuned evaluate 2>said >out
printf 'x' >judge.safetensors
expect_status 1 ./maker evaluate 2>said >out
expect_text "not a .safetensors file" said
rm judge.safetensors
mkdir elsewhere && mv away elsewhere/judge.safetensors
AECC_DATA=$folder/elsewhere ./maker evaluate >out || fail "AECC_DATA"

# Wrong imports.
printf 'import "judge.nn"\nimport "judge.nn" using "judge.safetensors"\n' >wrong.nn
expect_status 1 "$AECC" wrong.nn 2>said
expect_text 'wrong.nn:2:8: error: "judge.nn" was imported before' said
expect_text 'the first import of a file says what its weights are' said
printf 'import "judge.nn" using ""\n' >wrong.nn
expect_status 1 "$AECC" wrong.nn 2>said
expect_text 'wrong.nn:1:25: error: an empty path' said
printf 'import   "judge.nn"   using "judge.safetensors" # why\n' >spaces.nn
"$AECC" --format spaces.nn >out || fail "--format"
expect_text 'import "judge.nn" using "judge.safetensors"' out
