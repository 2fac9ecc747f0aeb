# Messages: places, carets, colors, JSON, -Werror.
. tests/lib.sh
temporary_folder
printf 'network a(x: [2]) {\n\tdense(10 20)\n}\nlet b = 1 +* 2\n' >"$folder/bad.nn"
cd "$folder" || exit 1

expect_status 1 "$AECC" bad.nn -o none 2>text
cat >wanted <<'END'
bad.nn:2:11: error: expected `,` or `)`, found `20`
    2 |         dense(10 20)
      |                  ^~
bad.nn:2:7: note: this `(` is open
    2 |         dense(10 20)
      |              ^
bad.nn:4:12: error: expected an expression, found `*`
    4 | let b = 1 +* 2
      |            ^
2 errors
END
diff -u wanted text || exit 1
[ ! -e none ] || { echo "an output was left behind"; exit 1; }

# Color: always, never, and not where stderr is no terminal.
escape=$(printf '\033')
"$AECC" bad.nn --color=always 2>text
grep -q "$escape\[1;31merror: " text || { echo "no color"; exit 1; }
TERM=xterm "$AECC" bad.nn --color=auto 2>text
! grep -q "$escape" text || { echo "color in a file"; exit 1; }

# One object a line, in the order of the source.
"$AECC" bad.nn --error-format=json 2>json
[ "$(grep -c '^{.*}$' json)" -eq 2 ] || { cat json; echo "not two objects"; exit 1; }
place='"file":"bad.nn","line":2,"column"'
{
    printf '{"severity":"error","message":"expected `,` or `)`, found `20`",%s:11,' "$place"
    printf '"length":2,"notes":[{"severity":"note","message":"this `(` is open",%s:7,' "$place"
    printf '"length":1}],"hints":[]}\n'
} >wanted
head -n 1 json | diff -u wanted - || exit 1
expect_status 2 "$AECC" --error-format=json --wat 2>json
grep -q '^{"severity":"error","message":"unknown option ' json || { cat json; exit 1; }

# Bytes that are no text come out as text.
printf 'let a = \377\033[2J1\n' >bytes.nn
expect_status 1 "$AECC" bytes.nn 2>text
! grep -q "$escape" text || { echo "an escape of the input reached the terminal"; exit 1; }
"$AECC" bytes.nn --error-format=json 2>json
grep -q '0xff' json || { cat json; exit 1; }

# A very long line is cut around the caret.
awk 'BEGIN { printf "let a = 1"; for (i = 0; i < 3000; i++) printf " + 1"; print " 2" }' >long.nn
"$AECC" long.nn 2>text
awk 'length > 200 { exit 1 }' text || { echo "a line of more than 200 columns"; exit 1; }

# Many errors: all are counted, a hundred are shown.
awk 'BEGIN { for (i = 0; i < 150; i++) print "let = 3" }' >many.nn
expect_status 1 "$AECC" many.nn 2>text
grep -q '^150 errors; the first 100 are shown$' text || { tail -n 1 text; exit 1; }
