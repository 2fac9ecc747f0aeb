#!/bin/sh
# Cells are worked out two at a time: an odd number of them, and one alone.
. tests/lib.sh
temporary_folder
cat >"$folder/odd.nn" <<'END'
data d = npy("d.npy")
network net(x: [5, 3]) {
    lstm(1, return_sequences: true)
    gru(3, return_sequences: true)
    lstm(17, return_sequences: true)
    simple_rnn(3, activation: sigmoid, return_sequences: true)
}
train on d(x) {
    minimize mse(net(x), x) using sgd()
}
END
"$AECC" --check=interp "$folder/odd.nn" || fail "machine code"
