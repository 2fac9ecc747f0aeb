#!/bin/sh
# What the descriptor says of lengths, sequence files and windows.
. tests/lib.sh
temporary_folder
cat >"$folder/m.nn" <<'END'
data motion: [time <= 300, 3] = npy("x.npy", lengths: "n.npy") / 2
data walks = csv("w.csv", series: "id")
data parts = windows(csv("p.csv", series: "who"), length: 16, stride: 4)
data long: [8, 3] = windows(csv("l.csv"), length: 8)
data whole: [8, 3] = windows(motion, length: 8)
network encoder(x: [time <= 512, 3]) { lstm(4) }
network decoder(z: [4], steps) {
    repeat_vector(steps)
    dense(3)
}
network short(x: [16, 3]) { flatten(); dense(2) }
network shorter(x: [8, 3]) { flatten(); dense(2) }
train on motion(x) {
    minimize mse(decoder(encoder(x), length(x)), x) using sgd()
}
train on walks(x) { minimize mean(encoder(x)) using sgd() }
train on parts(x) { minimize mean(short(x)) using sgd() }
train on long(x) { minimize mean(shorter(x)) using sgd() }
train on whole(x) { minimize mean(shorter(x)) using sgd() }
END
"$AECC" --emit=obj -o "$folder/m.o" "$folder/m.nn" || fail "it does not compile"
tr '\0' '\n' <"$folder/m.o" | tr -d '\n' >"$folder/text"
has() {
    grep -aqF -- "$1" "$folder/text" || fail "the descriptor has no $1"
}
has '"name":"x.length","type":"i32","shape":[],"batch":true'
has '"length_of":0'
has '"name":"steps","type":"i32"'
has '"steps":300'
has '"length":1}'
has '"path":"x.npy","shape":[300,3],"type":"f32","classes":0,"time":300,"lengths":"n.npy"'
has '"path":"w.csv","shape":[512,3],"type":"f32","classes":0,"time":512,"series":"id"'
has '"path":"p.csv","shape":[0,3],"type":"f32","classes":0,"time":0,"series":"who"'
has '"length":16,"stride":4'
has '"path":"l.csv","shape":[3],"type":"f32","classes":0,"affine"'
has '"kind":"windows","name":"whole"'
