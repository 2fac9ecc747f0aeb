#!/bin/sh
# Gradients, machine code and compile time of sequences of varying length.
. tests/lib.sh
model=tests/time/models.nn
"$AECC" --check=grad $model || fail "gradients"
"$AECC" --check=interp $model || fail "machine code"

# Nothing of the compiler's work grows with the steps: operations, kernels and
# buffers are as many, code is as large; its time is within a loose bound
# (bench/compile has the tight one).
counts_of() {
    sed "s/<= 7/<= $1/" $model >"$RESULTS/time_$1.nn"
    "$AECC" --stats --stop-after=plan "$RESULTS/time_$1.nn" 2>&1 |
        awk '$1 == "plan" { print $4, $5, $6 }'
}
[ "$(counts_of 28)" = "$(counts_of 2800)" ] || fail "$(counts_of 28) became $(counts_of 2800)"
size_of() {
    sed "s/<= 7/<= $1/" $model >"$RESULTS/time_$1.nn"
    "$AECC" --emit=obj -o "$RESULTS/time_$1.o" "$RESULTS/time_$1.nn" || fail "$1 steps"
    size "$RESULTS/time_$1.o" | awk 'NR == 2 {print $1}'
}
began=$(date +%s%N)
few=$(size_of 28)
middle=$(date +%s%N)
many=$(size_of 2800)
ended=$(date +%s%N)
[ $((many * 100)) -lt $((few * 105)) ] || fail "code of $few bytes became $many"
[ $((ended - middle)) -lt $((2 * (middle - began))) ] || fail "2800 steps take longer to compile"
