#!/bin/bash
# Whole networks in Lunette, ONNX Runtime and oneDNN, interleaved: `make bench`; README.md has the rest.
#   run.sh BUILD [--nets "lenet5 …"] [--threads "1 2"] [--rounds 3] [--seconds 1] [--peers "onnxruntime onednn"] [--extra FILE] [--limit SECONDS] [--out DIR]
# A net is specs/NAME.lua, tests/specs/bench/NAME.lua or a path that ends in .lua. A contender that is not done after the
# limit is reported as not run. Everything goes to DIR, BUILD/bench if not given: NAME.onnx with input and expected output,
# raw.tsv (a line a round and contender), bench.txt and bench.tsv (the tables). Exit code 1 when an answer is wrong.
set -u
here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
nets=lenet5 threads="1 2" rounds=3 seconds=1 peers="onnxruntime onednn" extra= limit=300 out=

usage() {
    sed -n '3s/^# *//p' "$0" >&2
    exit 2
}

[ $# -ge 1 ] || usage
build=$(cd "$1" && pwd) || exit 2
shift
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || usage
    case $1 in
    --nets) nets=$2 ;; --threads) threads=$2 ;; --rounds) rounds=$2 ;; --seconds) seconds=$2 ;;
    --peers) peers=$2 ;; --extra) extra=$2 ;; --limit) limit=$2 ;; --out) out=$2 ;; *) usage ;;
    esac
    shift 2
done
[ -z "$extra" ] || [ -r "$extra" ] || { echo "bench: cannot read $extra" >&2; exit 2; }
mkdir -p "${out:=$build/bench}" && out=$(cd "$out" && pwd) || exit 2
export XDG_CACHE_HOME=$out/cache
# shellcheck source=tests/bench/peers.sh
. "$here/peers.sh"

find_spec() {
    local file
    for file in "$source/specs/$1.lua" "$source/tests/specs/bench/$1.lua" "$1"; do
        case $file in *.lua) [ -f "$file" ] && echo "$file" && return ;; esac
    done
    return 1
}

# not_run CONTENDER NET THREADS FILE: the last line of what it said is the reason.
not_run() { printf '%s\t%s\t%s\tnot run\t%s\n' "$1" "$2" "$3" "$(tail -n 1 "$4" | tr '\t' ' ')" >>"$raw"; }

# The model with random weights, its input, the answer to expect, and oneDNN's steps.
prepare() {
    local spec=$1 base=$2 net=$3
    if [ ! -f "$base.onnx" ] || [ "$spec" -nt "$base.onnx" ] || [ "$build/lunette" -nt "$base.onnx" ]; then
        rm -f "$base".*
        "$build/lunette" export "$spec" --seed 1 --calibrate -o "$base.onnx" 2>"$out/log" || return 1
    fi
    "$build/bench_contender" --input "$base" 2>"$out/log" || return 1
    if [ "$ort" = 0 ] || ! node "$here/ort.mjs" "$out" --output "$base" 2>"$out/log"; then
        "$build/bench_contender" --output "$base" 2>"$out/log" || return 1
        say "$net: the expected output is Lunette's own, ONNX Runtime gives none"
    fi
    "$build/lunette" show "$base.onnx" --json >"$base.show.json" 2>"$out/log" || return 1
    printf '%s\t%s\n' "$net" "$base.show.json" >>"$out/nets.tsv"
    if [ "$onednn" = 1 ] && "$python" -B -W ignore "$here/onnx_steps.py" "$base" 2>"$base.no_steps"; then rm "$base.no_steps"; fi
}

# contend CONTENDER NET THREADS COMMAND: one line to raw.tsv in any case.
contend() {
    local answer
    answer=$(timeout "$limit" bash -c "$4" 2>"$out/log")
    local code=$?
    [ $code != 124 ] || echo "not done after $limit s" >>"$out/log"
    if [ $code = 0 ] && [ "$(awk -F'\t' 'NF == 8' <<<"$answer" | wc -l)" = 1 ]; then
        echo "$answer" >>"$raw"
    else
        [ -s "$out/log" ] || echo "exit code $code, no line of times" >"$out/log"
        not_run "$1" "$2" "$3" "$out/log"
    fi
}

# A line a contender: its name, a tab, the command.
contenders() {
    printf 'lunette\t%s/contender.sh {base} {t} {secs} %s\n' "$here" "$build"
    [ "$ort" = 0 ] || printf 'onnxruntime\tnode %s/ort.mjs %s {base} {t} {secs}\n' "$here" "$out"
    local net="$out/onednn net {base} {t} {secs}" steps="if [ -f {base}.no_steps ]; then cat {base}.no_steps >&2; exit 4; fi"
    [ "$onednn" = 0 ] || printf 'onednn\t%s; %s\nonednn-tuned\t%s; %s --tune\n' "$steps" "$net" "$steps" "$net"
    [ -z "$extra" ] || grep -v -e '^ *#' -e '^ *$' "$extra" | awk '{ print $1 "\t" $0 }'
}

# What the machine can do with t threads, measured in this run.
probe_peak() {
    "$build/lunette" bench "$source/specs/lenet5.lua" --json --seconds 0.3 --threads "$1" 2>"$out/log" |
        "$python" -c 'import json, sys; print(sys.argv[1], json.load(sys.stdin)["peak_gflops"], sep="\t")' "$1" >>"$out/peak.tsv"
}

one_round() {
    local net t name command
    for t in $threads; do
        probe_peak "$t"
        for net in $known; do
            while IFS=$'\t' read -r name command <&3; do
                command=${command//\{base\}/$out/$net} command=${command//\{net\}/$net}
                command=${command//\{t\}/$t} command=${command//\{secs\}/$seconds}
                contend "$name" "$net" "$t" "$command"
            done 3< <(contenders)
        done
    done
}

find_python
ort=0 onednn=0
[[ " $peers " != *" onnxruntime "* ]] || setup_ort
[[ " $peers " != *" onednn "* ]] || setup_onednn
raw=$out/raw.tsv known=
: >"$raw"
: >"$out/peak.tsv"
: >"$out/nets.tsv"
describe_machine >"$out/machine.tsv"
expected="ONNX Runtime's, graph optimisations off"
[ "$ort" = 1 ] || expected="Lunette's own"
printf 'expected outputs\t%s\n' "$expected" >>"$out/machine.tsv"
for wanted in $nets; do
    net=$(basename "$wanted" .lua)
    spec=$(find_spec "$wanted") || { say "$wanted is left out: there is no specs/$wanted.lua"; continue; }
    if prepare "$spec" "$out/$net" "$net"; then known="$known $net"; else
        say "$net is left out: $(tail -n 1 "$out/log")"
        for t in $threads; do not_run lunette "$net" "$t" "$out/log"; done
    fi
done
for round in $(seq "$rounds"); do
    say "round $round of $rounds"
    one_round
done
"$python" "$here/summarise.py" nets "$out"
