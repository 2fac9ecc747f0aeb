#!/bin/sh
# Linking: what is shown, what is left when it fails, where the runtime is.
set -u
. tests/lib.sh
temporary_folder
program=examples/pca.nn

"$AECC" "$program" -o "$folder/trainer" '-###' 2>"$folder/shown" || fail "-### fails"
grep -q "^cc -o .*libaecc_rt.a" "$folder/shown" || fail "-### shows no command"
[ ! -e "$folder/trainer" ] || fail "-### links"

"$AECC" "$program" -o "$folder/trainer" -v 2>"$folder/shown" || fail "-v fails"
grep -q '^cc -o ' "$folder/shown" || fail "-v shows no command"
"$folder/trainer" --help >/dev/null || fail "the trainer does not run"
ldd "$folder/trainer" >"$folder/libraries"
! grep -q 'libpng\|libjansson\|libgomp\|libz\.' "$folder/libraries" ||
    fail "not one file: $(cat "$folder/libraries")"

# A cc that is missing, and one that fails: status 5, a message, nothing left.
mkdir "$folder/none" "$folder/out" "$folder/bad"
printf '#!/bin/sh\nexit 3\n' >"$folder/bad/cc"
chmod +x "$folder/bad/cc"
for path in "$folder/none" "$folder/bad"; do
    PATH=$path "$AECC" "$program" -o "$folder/out/trainer" 2>"$folder/message"
    status=$?
    [ $status -eq 5 ] || fail "status $status with PATH=$path"
    grep -q 'cc' "$folder/message" || fail "no word about cc"
    [ -z "$(/bin/ls "$folder/out")" ] || fail "left: $(/bin/ls "$folder/out")"
done

# A trainer that cannot be written.
"$AECC" "$program" -o "$folder/missing/trainer" 2>"$folder/message"
status=$?
[ $status -eq 5 ] || fail "status $status for a folder that is missing"

# An aecc without its runtime.
cp "$AECC" "$folder/none/aecc"
"$folder/none/aecc" "$program" -o "$folder/out/trainer" 2>"$folder/message"
[ $? -eq 5 ] || fail "links without a runtime"
grep -q libaecc_rt.a "$folder/message" || fail "the missing runtime has no name"

# As installed: bin/aecc and lib/aecc/libaecc_rt.a.
mkdir -p "$folder/usr/bin" "$folder/usr/lib/aecc"
cp "$AECC" "$folder/usr/bin/aecc"
cp "$BUILD/libaecc_rt.a" "$folder/usr/lib/aecc/"
"$folder/usr/bin/aecc" "$program" -o "$folder/out/trainer" || fail "as installed"
