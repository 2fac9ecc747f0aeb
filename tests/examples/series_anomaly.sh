# series_anomaly.nn finds the beats that make-series spoiled: at least 11 of the 12
# with the largest errors. Alone, in a batch and by hand through its two networks
# a beat gets the same bits.
. tests/lib.sh
temporary_folder
"$AECC" "$PWD/examples/series_anomaly.nn" -o "$folder/series_anomaly" || fail "series_anomaly.nn"
sh examples/make-series "$folder" || fail "make-series"
cd "$folder" || exit 1
[ "$(wc -l <pulse.csv)" -gt 20000 ] && [ "$(wc -l <pulse_truth.csv)" -eq 13 ] || fail "the data"

./series_anomaly --quiet --threads 2 || fail "training"
./series_anomaly detect --quantile 0.98 --count 12 --out found.csv 2>text || fail "detect"
expect_text "12 of 600 samples are anomalies" text
hits=$(awk -F, 'NR == FNR { spoiled[$1] = 1; next }
    FNR > 1 && $5 in spoiled { n++ }
    END { print n + 0 }' pulse_truth.csv found.csv)
echo "$hits of 12"
[ "$hits" -ge 11 ] || { cat found.csv; fail "$hits of the 12 most anomalous beats are anomalies"; }

awk -F, 'NR > 1 { n[$1]++ } END { for (i = 0; i < 600; i++) print n[i] }' pulse.csv >lengths.csv
for batch in 1 600; do
    ./series_anomaly encode --batch $batch --out c$batch.npy || fail "encode"
    ./series_anomaly run decoder --in c$batch.npy --lengths lengths.csv --batch $batch \
        --out y$batch.npy || fail "run decoder"
    same_files c$batch.npy c1.npy
    same_files y$batch.npy y1.npy
done
od -A n -v -t d4 -w4 -j 128 y1.lengths.npy | tr -d ' ' >own.csv
same_files own.csv lengths.csv

# The error of detect is the mean over the steps there are.
beat=$(sed -n 2p found.csv | cut -d, -f5)
od -A n -v -t f4 -w4 -j $((128 + 192 * beat)) -N 192 y1.npy >drawn
awk -F, -v beat="$beat" '$1 == beat { print $2 }' pulse.csv | paste - drawn | awk -v e="$(
    sed -n 2p found.csv | cut -d, -f3)" '
    NF == 2 { n++; sum += ($1 - $2)^2 }
    END { exit !(n > 20 && sum / n > e * 0.99999 && sum / n < e * 1.00001) }' ||
    fail "the error of beat $beat"
