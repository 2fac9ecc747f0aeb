# Columns, lengths of files, unfinished work.
. tests/lib.sh
command -v git >/dev/null || skip "no git"
git rev-parse --git-dir >/dev/null 2>&1 || skip "no git checkout"
sh scripts/lint
