#!/bin/sh
# Scans in scans: gradients, and machine code, of two chunks too.
. tests/lib.sh
"$AECC" --check=grad tests/time/nested.nn || fail "gradients"
"$AECC" --check=interp tests/time/nested.nn || fail "machine code"
