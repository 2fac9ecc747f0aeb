#!/bin/sh
# Steps against each other that go wrong, each in its way, are told so in words and in the
# log, once an epoch; a healthy pair is not. Looking changes no bit.
set -u
. tests/lib.sh
temporary_folder
cd "$folder" || exit 1

# Points on a circle, in four more dimensions.
awk 'BEGIN { srand(3); for (i = 0; i < 640; i++) {
    t = 6.2832 * rand(); printf "%.5f,%.5f", cos(t), sin(t)
    for (j = 0; j < 4; j++) printf ",%.5f", 0.5 * cos(t + j) + 0.1 * rand()
    print "" } }' >points.csv

# gan NAME OUTPUT GENERATOR_INIT GENERATOR_OBJECTIVE RULE_OF_DISCRIMINATOR RULE_OF_GENERATOR
gan() {
    cat >"$1.nn" <<END
data points = csv("points.csv")
network generator(coding: [4]) {
    dense(16, leaky_relu, init: $3)
    dense(6, init: $3)
    $2
}
network discriminator(point: [6]) {
    dense(16, leaky_relu)
    dense(1, sigmoid)
}
train on points(point) {
    step discriminator {
        fake = generator(normal(4))
        minimize (bce(discriminator(fake), 0) + bce(discriminator(point), 1)) / 2
        update discriminator using $5
    }
    step generator {
        fake = generator(normal(4))
        minimize $4
        update generator using $6
    }
    epochs 12
    batch 32
}
END
    case $2 in *far*) echo 'let far(x) = 20 + 0.01 * x' >>"$1.nn" ;; esac
    "$AECC" "$1.nn" -o "$1" || fail "compiling $1.nn"
    "./$1" --log "$1.jsonl" 2>"$1.said" || fail "$1: $(cat "$1.said")"
}

usual='bce(discriminator(fake), 1)'
usually='adam(learning_rate: 0.002)'
gan healthy 'activation(linear)' glorot_uniform "$usual" "$usually" "$usually"
! grep -q '"warnings"' healthy.jsonl || fail "healthy: $(cat healthy.said)"
! grep -q 'warning' healthy.said || fail "healthy: $(cat healthy.said)"
for key in discriminator.slope discriminator.still generator.slope generator.still \
    generator.spread; do
    [ "$(grep -c "\"$key\":" healthy.jsonl)" -eq 12 ] || fail "an epoch lacks $key"
done
! grep -q 'discriminator.spread' healthy.jsonl || fail "a discriminator has no samples"

# warns NAME KEY TEXT HINT -- in the last epoch, and at most once in each.
warns() {
    tail -n 1 "$1.jsonl" | grep -q "\"warnings\":\[[^]]*\"$2\"" ||
        { cat "$1.jsonl" "$1.said"; fail "$1 has no $2"; }
    expect_text "$3" "$1.said"
    expect_text "$4" "$1.said"
    [ "$(grep -c "epoch 12: .*$3" "$1.said")" -eq 1 ] || fail "$1: not once an epoch"
}

# A generator far from the data that hardly moves: the discriminator is certain.
gan certain 'activation(far)' glorot_uniform "$usual" \
    'adam(learning_rate: 0.05)' 'sgd(learning_rate: 1e-5)'
warns certain discriminator.won "discriminator has won: its loss is" "labels of 0.9"

# All zero: only the last bias moves.
gan zero 'activation(relu)' zeros "$usual" "$usually" "$usually"
warns zero generator.vanishes "the gradients of generator vanish: " "try he_normal with relu"
warns zero generator.collapses "the samples of generator collapse: they spread 0 times" "replay"

# An objective that saturates: log(1 - D) where D is certain of 0.
gan saturated 'activation(far)' glorot_uniform 'mean(log(1 - discriminator(fake)))' \
    'adam(learning_rate: 0.05)' 'adam(learning_rate: 0.002)'
expect_text "its updates change its loss by" saturated.said
warns saturated generator.vanishes "gradients of generator vanish" "that does not saturate"

# An objective without a lower end.
gan exploding 'activation(linear)' glorot_uniform '-mean(norm(fake, each: sample)^2)' \
    'adam(learning_rate: 0.002)' 'adam(learning_rate: 0.05)'
warns exploding generator.blows_up "the loss of generator blows up: it is" "clip_norm: 1"

# Two steps that are no adversaries have no samples, and one step has no figures.
cat >parts.nn <<'END'
data points = csv("points.csv")
network encoder(point: [6]) {
    dense(2)
}
network decoder(coding: [2]) {
    dense(6)
}
train on points(point) {
    step encoding {
        minimize mse(decoder(encoder(point)), point)
        update encoder using adam()
    }
    step decoding {
        minimize mse(decoder(encoder(point)), point)
        update decoder using adam()
    }
}
END
"$AECC" parts.nn -o parts && ./parts --log parts.jsonl 2>parts.said || fail "parts"
expect_text '"encoding.slope":' parts.jsonl
! grep -q 'spread\|won' parts.jsonl || fail "parts has no adversaries"

# Looking changes no bit: the passes that are looked at depend on the length of an epoch, so
# a run over the file twice, which is looked at half as often, goes on as one over it once.
sed -e '1a data all = concat(points, points)' -e 's/^train on points/train on all/' \
    healthy.nn >twice.nn
"$AECC" twice.nn -o twice || fail "twice"
for n in 1 2; do
    [ $n -eq 1 ] && trainer=twice || trainer=healthy
    ./$trainer --no-shuffle --steps 30 --save $n.safetensors --log-steps --log $n.jsonl --quiet ||
        fail "$trainer"
done
same_files 1.safetensors 2.safetensors
grep -v epoch 1.jsonl >1.steps
grep -v epoch 2.jsonl >2.steps
same_files 1.steps 2.steps

# Killed and resumed: the figures of the epoch, too.
./healthy --threads 2 --log whole.jsonl --save whole.safetensors --quiet
for k in 1 2 3; do
    ./healthy --threads 1 --log parts.jsonl --save parts.safetensors --checkpoint p.ckpt --resume \
        --steps $((k * 70)) --quiet || fail "resume $k"
done
./healthy --log parts.jsonl --save parts.safetensors --checkpoint p.ckpt --resume --quiet
same_files whole.safetensors parts.safetensors
for file in whole parts; do sed 's/,"seconds".*//' $file.jsonl >$file.rows; done
same_files whole.rows parts.rows

# Steps that share work: in passes that are looked at, too, each has its own loss and
# updates what it names once.
cat >shared.nn <<'END'
data points = csv("points.csv")
network generator(coding: [4]) { return dense(coding, 6) }
network discriminator(point: [6]) { return dense(point, 1) }
train on points(point) {
    fake = generator(normal(4))
    step discriminator {
        minimize mean(discriminator(fake)) - mean(discriminator(point))
        update discriminator using sgd(0.01)
    }
    step generator {
        minimize 100 + mean(discriminator(fake)^2)
        update generator using sgd(0.01)
    }
    batch 32
}
END
"$AECC" shared.nn -o shared || fail "compiling shared.nn"
./shared --epochs 1 --log-steps --log shared.jsonl --quiet || fail "shared"
[ "$(grep -c '"generator.loss":1[0-9][0-9]' shared.jsonl)" -eq 21 ] ||
    fail "losses of steps that share work: $(cat shared.jsonl)"
