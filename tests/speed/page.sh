#!/bin/sh
# bench/run draws its page and tables from stored rows, and counts the
# multiply-adds of the models as they are known.
set -u
. tests/lib.sh
command -v python3 >/dev/null || skip "no python3"
temporary_folder

python3 bench/run --from tests/speed/rows.jsonl --page "$folder/page.html" \
    --markdown "$folder/table.md" >"$folder/text" 2>/dev/null || fail "bench/run --from"
# The round in the slow mode does not count; 820,000 * 32 / 200 us of 262.4 GFLOP/s.
row='| stacked | 32 | 2 | 200.0 us | 50 % | 500.0 us, JAX, all steps in one scan | 2.5 |'
expect_text "$row" "$folder/table.md"
expect_text 'Keras 150 s, 7.5 times as long' "$folder/table.md"
expect_text 'Keras, fit failed: no <keras>' "$folder/text"
grep -qE '^stacked +32 +2 +200.0 us +131 +50% +70 ns fast +jax:scan +500.0 us +2.50$' \
    "$folder/text" || { cat "$folder/text"; fail "the summary"; }
expect_text '<span class="big">2.5×</span>' "$folder/page.html"
expect_text '<span class="big">7.5×</span>' "$folder/page.html"
expect_text 'a &lt;CPU&gt;' "$folder/page.html"
grep -qE '<script|https?:|<link|@import|url\(' "$folder/page.html" &&
    fail "the page is not one file"

python3 - >"$folder/flops" <<'END' || fail "bench/peers/model.py"
import sys
sys.path.insert(0, "bench/peers")
import model
for name in "stacked", "denoising", "conv", "recurrent":
    print(name, model.flops(model.read(f"examples/{name}_ae.nn")))
for name in "gan", "dcgan":
    print(name, model.flops(model.read(f"bench/models/{name}.nn")))
END
printf 'stacked 820000\ndenoising 820000\nconv 11126176\nrecurrent 17356000\n' >"$folder/wanted"
printf 'gan 2731600\ndcgan 210936064\n' >>"$folder/wanted"
same_files "$folder/flops" "$folder/wanted"
