# Which networks get a twin for one sample, and what it reads.
. tests/lib.sh
temporary_folder
cat >"$folder/model.nn" <<'END'
network up(x: [3, 3, 16]) {
    conv2d_transpose(12, 3, strides: 2, activation: relu)
}
network flat(x: [5, 20]) {
    y = x * 2 + 1
    return reshape(y, 100)
}
network noisy(x: [4]) {
    return x + normal([4])
}
network centered(x: [4]) {
    return x - mean(x, over: batch)
}
END
cd "$folder" || exit 1
"$AECC" model.nn --stop-after=unbatch --dump=unbatch --verify 2>seen || { cat seen >&2; exit 1; }
grep '^fn' seen | sed 's/ {//' >functions
cat >wanted <<'END'
fn init "init"
fn network "up"
fn network "flat"
fn network "noisy"
fn network "centered"
fn single "up.single"
fn single "flat.single"
fn pack "pack"
END
same_files functions wanted

# The transposed kernel is packed with its outputs last.
expect_text 'var "up.conv2d_transpose_1.kernel.packed_1" packed f32 [3, 3, 16, 12]' seen
awk '/single "up/ { p = 1 } /single "flat/ { p = 0 } p' seen >up
! grep -q batch up || fail "a batch is left"
! grep -q 'var f32 .*kernel"' up || fail "the kernel is read as it is saved"
# Rows of 20 are padded, so what is computed from them is computed flat.
awk '/single "flat/ { p = 1 } /^fn pack/ { p = 0 } p' seen >flat
expect_text "reshape f32 [100] %0" flat
! grep -q 'mul f32 \[5, 20\]' flat || fail "a product in padded rows"

"$AECC" model.nn --check=interp >table || { cat table >&2; fail "--check=interp"; }
expect_text "up.single" table
