#!/bin/sh
# The manual has every layer, optimizer and built-in function.
. tests/lib.sh
names=$(sed -n 's/^BUILTIN(\([a-z_0-9]*\),.*/\1/p' compiler/graph/builtins.def
        sed -n 's/^\(layer\|optimizer\) \([a-z_0-9]*\)(.*/\2/p' dsl/std/*.nn)
[ "$(echo "$names" | wc -l)" -gt 80 ] || fail "the names were not found"
for name in $names; do
    grep -q "\`$name[\`(]" dsl/REFERENCE.md || echo "not in the manual: $name"
done >"${TMPDIR:-/tmp}/manual.$$"
missing=$(cat "${TMPDIR:-/tmp}/manual.$$"; rm -f "${TMPDIR:-/tmp}/manual.$$")
[ -z "$missing" ] || fail "$missing"
