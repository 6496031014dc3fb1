#!/bin/bash
# The tools of `make bench`, on LeNet-5 and for an instant: the contenders that are installed, the driver, the tables.
# $1: the build folder, $2: the source folder. Peers are used from build/bench, where `make bench` puts them.
set -u
build=$(cd "$1" && pwd) source=$(cd "$2" && pwd)
bench=$source/tests/bench
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
export XDG_CACHE_HOME=$dir/cache
passed=0 failed=0

good() { if "${@:2}"; then passed=$((passed + 1)); else echo "FAIL: $1"; failed=$((failed + 1)); fi; }
# says WORDS FILE
says() { grep -q -e "$1" "$2" || { echo "no '$1' in:"; cat "$2"; return 1; }; }
fails() { "${@:2}" >"$dir/out" 2>&1; [ $? = "$1" ] || { echo "exit code is not $1:" "${@:2}"; cat "$dir/out"; return 1; }; }
# The largest number of a file of floats lies in $2 … $3.
largest() {
    python3 -c '
import array, sys
a = array.array("f", open(sys.argv[1], "rb").read())
most = max(map(abs, a))
print("largest", most)
sys.exit(not float(sys.argv[2]) <= most <= float(sys.argv[3]))' "$@" >"$dir/out" || { cat "$dir/out"; return 1; }
}

# ---- the contender ----------------------------------------------------------------------------------
base=$dir/lenet5
good "export" "$build/lunette" export "$source/specs/lenet5.lua" --seed 1 --calibrate -o "$base.onnx" 2>"$dir/log"
good "input" "$build/bench_contender" --input "$base"
good "output" "$build/bench_contender" --output "$base"
"$bench/contender.sh" "$base" 2 0.01 "$build" >"$dir/line"
good "a line of eight" awk -F'\t' 'NF != 8 || $1 !~ /^lunette [0-9.]+$/ || $2 != "lenet5" || $3 != 2 || $5 > $4 || $4 > $6 || $8 != 0 { exit 1 }' "$dir/line"
head -c 12 "$base.in.f32" >"$dir/short.in.f32"
cp "$base.onnx" "$dir/short.onnx"
good "a short input" fails 5 "$bench/contender.sh" "$dir/short" 1 0.01 "$build"
good "which is said" says "has not the 784 floats" "$dir/out"
good "no model" fails 5 "$bench/contender.sh" "$dir/none" 1 0.01 "$build"
good "usage" fails 2 "$build/bench_contender" "$base" 0 1

# ---- random weights that keep values in size --------------------------------------------------------
for how in "" --calibrate; do
    net=$dir/deep$how
    "$build/lunette" export "$source/tests/specs/bench/deep.lua" --seed 1 $how -o "$net.onnx" 2>"$dir/log" || cat "$dir/log"
    "$build/bench_contender" --input "$net" && "$build/bench_contender" --output "$net"
done
good "without statistics values grow" largest "$dir/deep.out.f32" 1e3 1e12
good "with them they do not" largest "$dir/deep--calibrate.out.f32" 0.1 50
good "calibrate wants random weights" fails 2 "$build/lunette" export "$source/specs/lenet5.lua" --calibrate -o "$dir/x.onnx"

# ---- the driver, with the peers that are there ------------------------------------------------------
out=$dir/bench peers=
mkdir "$out"
if [ -d "$build/bench/node_modules/onnxruntime-node" ] && command -v node >/dev/null; then
    peers="onnxruntime"
    ln -s "$build/bench/node_modules" "$out/node_modules"
else
    echo "SKIP: ONNX Runtime, which make bench installs"
fi
if [ -x "$build/bench/onednn" ]; then
    peers="$peers onednn"
    ln -s "$build/bench/onednn" "$out/onednn"
else
    echo "SKIP: oneDNN, which make bench builds"
fi
echo "again true # {base} {t}; echo \"again 1\$(printf '\\t')lenet5\$(printf '\\t')1\"" >"$dir/extra"
good "run.sh" "$bench/run.sh" "$build" --out "$out" --nets "lenet5 nothing" --threads 1 --rounds 1 --seconds 0.01 \
    --peers "$peers" --extra "$dir/extra" >"$dir/table" 2>"$dir/log"
good "names what is not there" says "nothing is left out" "$dir/log"
good "names who did not run" says "not run: again on lenet5" "$dir/table"
for name in lunette $peers; do good "a time of $name" says "^$name [0-9.]*	lenet5	1	[0-9.]*	" "$out/raw.tsv"; done
good "a peak" says "peak, 1 thread(s): [0-9]" "$dir/table"
good "usage" fails 2 "$bench/run.sh" "$build" --nets

# ---- the tables -------------------------------------------------------------------------------------
sum=$dir/sum
mkdir "$sum"
row() { printf '%s\t%s\t%s\t%s\t%s\t%s\t9\t%s\n' "$1" "$2" "$3" "$4" "$4" "$4" "${5:-1e-7}"; }
{ row "lunette 1" a 1 2; row "lunette 1" a 1 3; row "lunette 1" a 1 9; row "peer 2" a 1 6; row "lunette 1" b 1 1; row "peer 2" b 1 8; } >"$sum/raw.tsv"
printf '%s\t%s\n' a "$sum/a.json" b "$sum/a.json" >"$sum/nets.tsv"
echo '{"macs": 1500000}' >"$sum/a.json"
printf '1\t4\n1\t2\n' >"$sum/peak.tsv"
printf 'cpu\tsome\n' >"$sum/machine.tsv"
good "summarise" "$bench/summarise.py" nets "$sum" >"$dir/out"
good "median of rounds, ratio, rate, share" says '^a  *1  *3  *6  *2  *0.0015  *1  *25$' "$dir/out"
good "geometric mean of 2 and 8" says '^geometric mean  *1  *4$' "$dir/out"
good "the same as TSV" says '^a	1	3	6	2	0.0015	1	25$' "$sum/bench.tsv"
row "peer 2" a 2 1 0.5 >>"$sum/raw.tsv"
good "a wrong answer" fails 1 "$bench/summarise.py" nets "$sum"
good "is named" says "WRONG: peer on a, 2 thread" "$dir/out"
row "peer 2" a 2 1 nan >"$sum/raw.tsv"
good "nan is wrong" fails 1 "$bench/summarise.py" nets "$sum"

echo '[{"descriptor": "mb1_ic3ih8oc4oh8kh3ph1n\"x\"", "ms": 2}, {"descriptor": "ic1ih4oc1kh1", "error": "why"}]' >"$sum/lunette_1.json"
printf 'onednn 2\tmb1ic3ih8oc4oh8kh3ph1\t1\t4\t4\t10\tjit\n' >"$sum/raw.tsv"
good "layers" "$bench/summarise.py" layers "$sum" >"$dir/out"
good "joined by descriptor" says '^mb1ic3ih8oc4oh8kh3ph1  *1  *2  *4  *2  *20$' "$dir/out"
good "and why not" says "not run: lunette on ic1ih4oc1kh1, 1 thread(s): why" "$dir/out"

echo "$passed passed, $failed failed"
[ $failed = 0 ]
