#!/bin/sh
# grad() of grad() of grad(): against powers, whose derivatives are known, and the
# gradients of such objectives against float64 differences.
set -u
. tests/lib.sh
temporary_folder
cd "$folder" || exit 1
printf '1\n2\n-3\n' >x.csv

# x^5 has the derivatives 5 x^4, 20 x^3, 60 x^2, 120 x, 120; of x^2 behind
# stop_gradient nothing is left, so that d/dx (x stop(x^2)) = x^2.
cat >powers.nn <<'END'
data numbers: [] = csv("x.csv")
network net(x: []) {
    param w: [] = 1
    return w * x
}
train on numbers(x) {
    y = x * x * x * x * x
    first = grad(y, x)
    second = grad(first, x)
    third = grad(second, x)
    fourth = grad(third, x)
    fifth = grad(fourth, x)
    half = grad(x * stop_gradient(x * x), x)
    step one { minimize mean(first) + 0 * mean(net(x)) using sgd() }
    step two { minimize mean(second) + 0 * mean(net(x)) using sgd() }
    step three { minimize mean(third) + 0 * mean(net(x)) using sgd() }
    step four { minimize mean(fourth) + 0 * mean(net(x)) using sgd() }
    step five { minimize mean(fifth) + 0 * mean(net(x)) using sgd() }
    step six { minimize mean(half) + 0 * mean(net(x)) using sgd() }
}
END
"$AECC" powers.nn -o powers 2>messages || { cat messages; fail "powers.nn"; }
./powers --quiet --log log --save w.st || fail "powers"
# means over 1, 2 and -3
for row in one:163.333333 two:-120 three:280 four:0 five:120 six:4.66666667; do
    loss=$(sed -n "1s/.*\"${row%:*}.loss\":\([^,]*\),.*/\1/p" log)
    awk -v a="$loss" -v b="${row#*:}" 'BEGIN { d = a - b; exit !(d * d < 1e-8 * (1 + b * b)) }' ||
        fail "${row%:*}: $loss, not ${row#*:}"
done

# Slopes of slopes of a network, by its input and by a parameter.
cat >slopes.nn <<'END'
data points: [4] = csv("points.csv")
network critic(x: [4]) {
    dense(5, tanh)
    dense(3, softplus)
    dense(1)
}
train on points(x) {
    slope = grad(critic(x), x)
    bend = grad(sum(slope^2, each: sample), x)
    third = grad(sum(bend * stop_gradient(x), each: sample), x)
    by_weights = grad(mean(critic(x)^2), critic.dense_1.kernel)
    minimize mean(slope^2) + mean(bend^2) + mean(third^2) + sum(by_weights^2) using sgd()
}
END
"$AECC" --check=grad slopes.nn || fail "slopes.nn"
