#!/bin/sh
# As many values as a scan carries and emits, and one more.
. tests/lib.sh
temporary_folder
program() {        # program CARRIED EMITTED
    awk -v carried="$1" -v emitted="$2" 'BEGIN {
        print "layer many(x: [batch, time]) {"
        printf "    scan s in x along time carrying h_1 = 0"
        for (i = 2; i <= carried; i++) printf ", h_%d = 0", i
        print " {"
        for (i = 1; i <= carried; i++) printf "        h_%d = h_%d + s\n", i, i
        for (i = 1; i <= emitted; i++) printf "        emit %d * s\n", i
        print "    }"
        print "    return h_1"
        print "}"
        print "network f(x: [4]) { param w: [] = 1; return w * many(x) }"
        print "data d = npy(\"x.npy\")"
        print "train on d(x) { minimize mean(f(x)) using sgd() }" }' >"$folder/many.nn"
}
program 64 64
"$AECC" --stop-after=check "$folder/many.nn" || fail "64 values"
program 65 1
expect_status 1 "$AECC" --stop-after=check "$folder/many.nn" 2>"$folder/errors"
expect_text "a scan carries at most 64 values" "$folder/errors"
program 1 65
expect_status 1 "$AECC" --stop-after=check "$folder/many.nn" 2>"$folder/errors"
expect_text "a scan emits at most 64 values" "$folder/errors"
