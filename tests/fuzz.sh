#!/bin/bash
# Runs every fuzz target for some time on its corpus, two at once.
#   fuzz.sh BUILD SECONDS [TARGET…]     BUILD: configured with -DLUNETTE_SANITIZE=fuzzer-no-link,address,undefined
# What is found is kept in BUILD/found, with the command that repeats it. Inputs that reach new code go to BUILD/corpus
# and are used again.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$(realpath "$1")
export build seconds=$2
shift 2
targets=("$@")
if [ ${#targets[@]} = 0 ]; then
    for file in tests/fuzz/fuzz_*.c; do
        name=${file##*/fuzz_}
        targets+=("${name%.c}")
    done
fi
mkdir -p "$build/found"

# ONNX's own small models, where Debian's package libonnx-testdata is.
seed_onnx() {
    local models=/usr/share/libonnx-testdata/data/node model
    [ -d "$models" ] || return
    mkdir -p "$build/seeds"
    find "$models" -name model.onnx -size -8 | sort | while read -r model; do
        cp "$model" "$build/seeds/$(basename "$(dirname "$model")")"
    done
}

# 512 MB at once or 2 GB in all are too much for a small file, as are ten seconds.
fuzz() {
    local name=$1 log=$build/found/$1.log
    local corpora=("$build/corpus/$name" "tests/fuzz/corpus/$name")
    mkdir -p "${corpora[0]}"
    [ "$name" = onnx ] && seed_onnx && corpora+=("$build/seeds")
    ASAN_OPTIONS=detect_leaks=1 "$build/fuzz_$name" -max_total_time="$seconds" -seed=1 -timeout=10 -rss_limit_mb=2048 \
        -malloc_limit_mb=512 -max_len=16384 -print_final_stats=1 -artifact_prefix="$build/found/$name-" \
        "${corpora[@]}" >"$log" 2>&1
    local code=$? runs
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    if [ $code = 0 ] && [ "${runs:-0}" -gt 0 ]; then
        echo "$name: $runs inputs, none bad"
        return 0
    fi
    local input
    input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
    echo "$name: FAILED, exit code $code; again by: $build/fuzz_$name ${input:-tests/fuzz/corpus/$name/*}"
    grep -v '^#[0-9]*	' "$log" | tail -n 40
    return 1
}
export -f fuzz seed_onnx

echo "== fuzz targets, $seconds s each"
if printf '%s\n' "${targets[@]}" | xargs -P 2 -I{} bash -c 'fuzz {}'; then
    echo "== ${#targets[@]} fuzz targets passed"
else
    echo "== some fuzz targets FAILED"
    exit 1
fi
