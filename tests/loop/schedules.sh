# serial
# The cost model against measurement: what it chooses is not far from the best
# of the schedules timed. Other work on the machine counts, too, but seldom three
# times.
set -u
. tests/lib.sh
temporary_folder

# near_best FILE WORD N BOUND
near_best() {
    for attempt in 1 2 3; do
        "$BUILD/bench/schedules" "$1" "$2" "$3" >"$folder/log" || fail "schedules $1 $2"
        awk -v bound="$4" '
            /on average/ { found = $1 > 0 && $NF >= 1 && $NF < bound }
            END { exit !found }' "$folder/log" && return
    done
    fail "$1 $2: $(tail -n 5 "$folder/log")"
}

# Strides of a power of two: lines of both operands fall into few sets of L1.
cat >"$folder/wide.nn" <<'END'
data images = npy("images.npy")

network net(image: [8, 8, 64]) {
    conv2d(64, 3, padding: same, activation: relu)
    conv2d(64, 3, padding: same)
}

train on images(image) {
    minimize mse(net(image), image) using sgd()
    batch 16
}
END

near_best examples/stacked_ae.nn dense_1 6 1.25
near_best examples/conv_ae.nn conv2d_3 4 1.35
near_best "$folder/wide.nn" conv2d_2.contract 6 1.35
[ -z "${FULL:-}" ] || near_best examples/conv_ae.nn contract 16 1.35
