# Reading and writing: stdin, stdout, imports, make rules, and their failures.
. tests/lib.sh
temporary_folder
root=$PWD
model=$root/tests/parse/stack.nn
cd "$folder" || exit 1

# Where the output goes.
"$AECC" "$model" --emit=ast >stdout || fail "--emit=ast"
"$AECC" "$model" --emit=ast -o - >dash || fail "-o -"
"$AECC" "$model" --emit=ast -ofile || fail "-ofile"
"$AECC" - --emit=ast <"$model" >stdin || fail "-"
for each in dash file stdin; do same_files stdout $each; done
"$AECC" "$model" --stop-after=parse >none || fail "--stop-after"
[ ! -s none ] || fail "--stop-after wrote something"

# Warnings do not depend on where the program comes from.
printf 'let unused = 1\n' | cat - "$model" >warned.nn
expect_status 1 "$AECC" warned.nn -Werror --emit=graph 2>errors
expect_status 1 "$AECC" - -Werror --emit=graph <warned.nn 2>errors
expect_text "<stdin>:1:5: warning: \`unused\` is never used" errors

# What cannot be read or written.
expect_status 5 "$AECC" nothing.nn 2>errors
expect_text "cannot read nothing.nn: No such file" errors
expect_status 5 "$AECC" . 2>errors
expect_status 5 "$AECC" "$model" --emit=ast -o nowhere/out 2>errors
expect_text "cannot write nowhere/out" errors
expect_status 5 "$AECC" "$model" --emit=ast -o /dev/full 2>errors
expect_text "cannot write /dev/full" errors
mkdir sub
expect_status 5 "$AECC" "$model" --emit=ast -o sub 2>errors
expect_text "it is a folder" errors
if [ "$(id -u)" -ne 0 ]; then
    chmod 555 sub
    expect_status 5 "$AECC" "$model" --emit=ast -o sub/out 2>errors
    chmod 755 sub
fi
[ -z "$(ls sub)" ] || fail "something was left in sub"

# Imports: beside the file, in -I, once, in a circle.
mkdir lib
printf 'import "two.nn"\nlet one = 1\n' >lib/one.nn
printf 'import "one.nn"\nlet two = 2\n' >lib/two.nn
printf 'import "one.nn"\nimport "two.nn"\nlet three = 3\n' >main.nn
expect_status 1 "$AECC" main.nn --emit=ast 2>errors
expect_text 'cannot read "one.nn": No such file' errors
expect_text 'looked for beside this file, then in the folders of -I' errors
"$AECC" main.nn -I lib --emit=ast >tree || fail "-I"
[ "$(grep -c '^  let ' tree)" -eq 3 ] || fail "not three declarations"
printf 'let = 1\n' >lib/two.nn
expect_status 1 "$AECC" main.nn -Ilib --emit=ast 2>errors
expect_text "lib/two.nn:1:5: error: expected a name" errors

# A rule for make.
printf 'let two = 2\n' >lib/two.nn
"$AECC" main.nn -Ilib --emit=ast -o 'a $x' -MD -MF rule || fail "-MD"
expect_text 'a\ $$x: main.nn lib/one.nn lib/two.nn' rule
"$AECC" main.nn -Ilib --emit=ast -o tree -MD || fail "-MD"
expect_text 'tree: main.nn' tree.d
