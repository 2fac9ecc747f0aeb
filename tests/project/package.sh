# Installed, aecc is found by find_package(aecc), and aecc_add_trainer() makes
# trainers that follow changes of their file and of what it imports.
. tests/lib.sh
temporary_folder

cmake --install "$BUILD" --prefix "$folder/usr" >"$folder/log" || fail "installation"
"$folder/usr/bin/aecc" --version || fail "the installed aecc does not run"

mkdir "$folder/user"
cp examples/pca.nn "$folder/user/model.nn"
cat >"$folder/user/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(user NONE)
find_package(aecc 0.1 REQUIRED)
aecc_add_trainer(model model.nn)
END
cmake -S "$folder/user" -B "$folder/build" -G Ninja -DCMAKE_PREFIX_PATH="$folder/usr" \
    >"$folder/log" || { cat "$folder/log"; fail "find_package(aecc)"; }
cmake --build "$folder/build" >"$folder/log" || { cat "$folder/log"; fail "aecc_add_trainer"; }
"$folder/build/trainers/model" summary || fail "the trainer does not run"

echo '# changed' >>"$folder/user/model.nn"
cmake --build "$folder/build" | tee "$folder/log"
! grep -q 'no work' "$folder/log" || fail "a change of the model is not seen"
