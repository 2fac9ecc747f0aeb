#!/bin/sh
# Whole messages about steps: carets, the other place, the hint.
set -u
. tests/lib.sh
temporary_folder
bad=0
for name in steps steps_warnings; do
    "$AECC" --stop-after=check --color=never tests/error/$name.nn 2>&1 |
        sed 's/  # \(error\|warning\): .*//' >"$folder/messages"
    diff -u tests/steps/$name.out "$folder/messages" || bad=1
done
exit $bad
