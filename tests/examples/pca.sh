# pca.nn finds the plane of principal component analysis: the mean squared error
# is the smallest eigenvalue of the covariance over 3, and the decoder's plane
# makes an angle below 1e-3 with that of the two other eigenvectors.
. tests/lib.sh
temporary_folder
"$AECC" "$PWD/examples/pca.nn" -o "$folder/pca" || fail "pca.nn"
points=$PWD/examples/pca_points.csv
cd "$folder" || exit 1

final_loss() {
    rm -f log
    ./pca train --quiet --log log "$@" || fail "train $*"
    sed -n '$s/.*"val_loss":\([^,]*\),.*/\1/p' log
}

loss=$(final_loss)
echo "$loss" | awk '{ exit !($1 <= 0.02338) }' || fail "the notebook's recipe ends at $loss"
loss=$(final_loss --batch 60 --epochs 2000)

# Three codings decoded give the plane.
printf '0,0\n1,0\n0,1\n' >codings.csv
./pca run decoder --in codings.csv --out plane.npy >/dev/null || fail "run decoder"
plane=$(od -A n -t f4 -j 128 plane.npy | tr '\n' ' ')

# The eigenvector of the smallest eigenvalue s of C is the largest of trace(C) - C.
awk -F, -v plane="$plane" -v loss="$loss" '
    NR > 1 { n++; for (i = 1; i <= 3; i++) { x[n, i] = $i; mean[i] += $i } }
    function minor(a, b, i, j) { return a[i] * b[j] - a[j] * b[i] }
    function cross(a, b, out) {
        out[1] = minor(a, b, 2, 3)
        out[2] = minor(a, b, 3, 1)
        out[3] = minor(a, b, 1, 2)
    }
    function unit(v,    l, i) {
        l = sqrt(v[1]^2 + v[2]^2 + v[3]^2)
        for (i = 1; i <= 3; i++) v[i] /= l
        return l
    }
    END {
        for (i = 1; i <= 3; i++)
            for (j = 1; j <= 3; j++)
                for (k = 1; k <= n; k++)
                    C[i, j] += (x[k, i] - mean[i] / n) * (x[k, j] - mean[j] / n) / n
        trace = C[1, 1] + C[2, 2] + C[3, 3]
        normal[1] = normal[2] = normal[3] = 1
        for (step = 0; step < 5000; step++) {
            for (i = 1; i <= 3; i++) {
                next_one[i] = trace * normal[i]
                for (j = 1; j <= 3; j++) next_one[i] -= C[i, j] * normal[j]
            }
            smallest = trace - unit(next_one)
            for (i = 1; i <= 3; i++) normal[i] = next_one[i]
        }
        split(plane, p, " +")
        shift = p[1] == "" ? 1 : 0
        for (i = 1; i <= 3; i++) {
            a[i] = p[3 + i + shift] - p[i + shift]
            b[i] = p[6 + i + shift] - p[i + shift]
        }
        cross(a, b, own)
        unit(own)
        cross(own, normal, sine)
        angle = sqrt(sine[1]^2 + sine[2]^2 + sine[3]^2)
        best = smallest / 3
        printf "loss %.9f, best %.9f, angle %.2g\n", loss, best, angle
        exit !(loss < best * (1 + 1e-5) && loss > best * (1 - 1e-5) && angle < 1e-3)
    }' "$points" || fail "not the plane of principal component analysis"
