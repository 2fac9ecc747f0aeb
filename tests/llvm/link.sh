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
expect_text "missing/trainer: No such file" "$folder/message"

# What is no regular file stays what it is; a link stays a link.
mkfifo "$folder/out/pipe"
"$AECC" "$program" -o "$folder/out/pipe" 2>"$folder/message"
[ $? -eq 5 ] || fail "a pipe is no trainer"
expect_text "it is no regular file" "$folder/message"
[ -p "$folder/out/pipe" ] || fail "the pipe was replaced"
if mknod "$folder/out/null" c 1 3 2>/dev/null; then
    "$AECC" "$program" -o "$folder/out/null" 2>"$folder/message"
    [ $? -eq 5 ] || fail "a device is no trainer"
    "$AECC" "$program" --emit=obj -o "$folder/out/null" || fail "an object to a device"
    [ -c "$folder/out/null" ] || fail "the device was replaced"
fi
rm -f "$folder/out/pipe" "$folder/out/null"
: >"$folder/out/trainer"
ln -s trainer "$folder/out/link"
"$AECC" "$program" -o "$folder/out/link" || fail "through a link"
[ -L "$folder/out/link" ] && [ -x "$folder/out/trainer" ] || fail "the link was replaced"
rm -f "$folder/out/link" "$folder/out/trainer"

# A full disk is named; what ld says about it is not shown.
printf '#!/bin/sh\necho "ld: final link failed: No space left on device" >&2\nexit 1\n' \
    >"$folder/bad/cc"
PATH=$folder/bad:$PATH LC_ALL=C "$AECC" "$program" -o "$folder/out/trainer" 2>"$folder/message"
[ $? -eq 5 ] || fail "status with a full disk"
expect_text "trainer: No space left on device" "$folder/message"
! grep -q 'ld:' "$folder/message" || fail "the words of ld are shown"

# Another architecture: with its compiler and the runtime made for it.
foreign=riscv64-linux-gnu
[ "$(uname -m)" != riscv64 ] || foreign=aarch64-linux-gnu
mkdir -p "$folder/cross/$foreign"
cp "$AECC" "$folder/cross/aecc"
"$folder/cross/aecc" "$program" -o "$folder/out/trainer" --target=$foreign 2>"$folder/message"
[ $? -eq 2 ] || fail "links for $foreign without a runtime"
expect_text "write an object with --emit=obj" "$folder/message"
: >"$folder/cross/$foreign/libaecc_rt.a"
"$folder/cross/aecc" "$program" -o "$folder/out/trainer" --target=$foreign '-###' \
    2>"$folder/shown" || fail "-### for $foreign"
grep -q "^$foreign-gcc -o .*/$foreign/libaecc_rt.a -L.*/$foreign " "$folder/shown" ||
    fail "$foreign: $(cat "$folder/shown")"

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

# The features that a trainer asks for: those of this machine's vectors, less
# what --mattr takes away; none of them beyond another processor that is named.
asked() {
    "$AECC" "$program" --emit=llvm -o - "$@" |
        sed -n 's|^@aecc_text.*c"\(ssse3.*\)\\00"|\1|p' |
        tr , '\n'
}
if grep -q '^flags.* avx512vbmi ' /proc/cpuinfo; then
    asked >"$folder/native"
    grep -qx avx512vbmi "$folder/native" || fail "avx512vbmi is not asked for"
    [ -z "$(sort "$folder/native" | uniq -d)" ] || fail "a feature is asked for twice"
    asked --mattr=-avx512vbmi >"$folder/less"
    ! grep -qx avx512vbmi "$folder/less" || fail "avx512vbmi is asked for without it"
    asked --mcpu=x86-64-v3 >"$folder/v3"
    ! grep -q avx512 "$folder/v3" || fail "x86-64-v3 asks for AVX-512"
fi
