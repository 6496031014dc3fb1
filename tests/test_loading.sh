#!/usr/bin/env bash
# The program does without libLLVM until it has to compile. Usage: test_loading.sh LUNETTE SOURCE_DIR
set -u
lunette=$(realpath "$1")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$2" || exit 1
passed=0 failed=0
check() { if eval "$2"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $1"; fi; }

check "no library of LLVM's is linked" '! readelf -dW "$lunette" | grep "(NEEDED)" | grep -qi llvm'
check "no symbol of LLVM's is undefined" '! nm -D --undefined-only "$lunette" | grep -qE " _?LLVM|_ZN.*4llvm"'

# run CASE ARGUMENT…: the loader's report in $dir/CASE
run() {
    LD_DEBUG=files LD_DEBUG_OUTPUT="$dir/$1" "$lunette" "${@:2}" >"$dir/$1.out" 2>&1 || { cat "$dir/$1.out"; echo "FAILED: lunette ${*:2}"; failed=$((failed + 1)); }
    cat "$dir/$1".[0-9]* >"$dir/$1"
}
net=(specs/lenet5.lua --seed 1 --cache-dir "$dir/cache")
run cold run "${net[@]}"
run warm run "${net[@]}"
run show show specs/lenet5.lua
check "a cold run loads LLVM" 'grep -q "file=libLLVM" "$dir/cold"'
check "a warm run does not" '[ -s "$dir/warm" ] && ! grep -q libLLVM "$dir/warm"'
check "nor does show" '[ -s "$dir/show" ] && ! grep -q libLLVM "$dir/show"'
check "both give the same answer" 'cmp -s "$dir/cold.out" "$dir/warm.out"'
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
