#!/usr/bin/env bash
# lunette bench: options, errors, the form of what it prints. Never speed. Usage: test_bench.sh LUNETTE SOURCE_DIR
set -u
lunette=$(realpath "$1")
source_dir=$(realpath "$2")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export XDG_CACHE_HOME=$dir/cache
cd "$dir" || exit 1
net=$source_dir/specs/lenet5.lua
passed=0 failed=0

bad() { failed=$((failed + 1)); echo "FAILED: $*"; }
good() { passed=$((passed + 1)); }

# bench CODE ARGUMENT…: a wrong command line gives one line on stderr and nothing else.
bench() {
    local want=$1 code
    shift
    "$lunette" bench "$@" --seconds 0.02 >out 2>err </dev/null
    code=$?
    if [ "$code" != "$want" ]; then bad "exit $code, not $want: bench $* ($(head -c 300 err))"; else good; fi
}
refused() {
    bench "$@"
    if [ -s out ] || [ "$(wc -l <err)" != 1 ] || ! grep -q '^lunette: .' err; then bad "no message of one line: bench $*"; fi
}
see() { if grep -q -e "$2" "$1"; then good; else bad "'$2' is not in std$1: $(head -c 1500 "$1")"; fi; }
# json EXPRESSION: holds of what was printed, as `o`
json() {
    if python3 -c "import json, sys; o = json.load(open('out')); sys.exit(not ($1))" 2>problem; then good
    else bad "not so: $1 ($(tail -n 1 problem)) $(head -c 300 out)"; fi
}

# ---- a network --------------------------------------------------------------------------------------------

bench 0 "$net"
see out '^kernel  *µs  *rate  *of bound  *schedule$'
see out '^image.padded > conv1 + tanh_1 .* GFLOP/s  .* % of \(peak\|L1\|L2\|L3\|memory\)'
see out '^flatten_1 .* GB/s .* % of \(L1\|L2\|L3\|memory\)'
see out '^a run: median .* ms, least .* ms'
see out '^kernels: medians add up to .* ms, a whole run takes .* ms, [+-].* ms$'
see out '^machine: peak .* GFLOP/s; reads L1 .*, L2 .*, L3 .*, memory .* GB/s$'
see out '^memory: arena [1-9][0-9]* bytes, packed weights [1-9][0-9]* bytes, object code [1-9][0-9]* bytes, scratch [1-9][0-9]* bytes a thread$'
see err 'random, from seed 1'

bench 0 "$net" --json
json "not o['cold'] and o['threads'] == 1 and o['against'] == 'none' and o['runs'] >= 5"
json "all(o[k] > 0 for k in 'median_ms min_ms p90_ms peak_gflops gflops first_answer_ms kernels_ms bound_ms'.split())"
json "abs(o['median_ms'] - o['kernels_ms'] - o['difference_ms']) < 1e-5"
json "all(o[k] > 0 for k in 'arena_bytes packed_weight_bytes object_bytes'.split())"
json "set(o['read_gbytes']) == {'L1', 'L2', 'L3', 'memory'} and all(v > 0 for v in o['read_gbytes'].values())"
json "all(k['ms'] > 0 and abs(k['bound_share'] * k['ms'] - k['bound_ms']) < 1e-5 for k in o['kernels'])"
json "all(k['bound'] in {'peak', 'L1', 'L2', 'L3', 'memory'} and k['schedule'] for k in o['kernels'])"
json "[k['weight_bytes'] > 0 for k in o['kernels'] if k['kernel'].startswith(('conv', 'fc'))] == [True] * 5"
json "len(o['by_threads']) == 1 and all(len(k['by_threads']) == 1 for k in o['kernels'])"

# ---- cold -------------------------------------------------------------------------------------------------

bench 0 "$net" --cold
see out ', cold: caches emptied before each run$'
bench 0 "$net" --cold --json
json "o['cold'] and len(o['kernels']) == 9 and all(k['ms'] > 0 for k in o['kernels'])"
# nothing a fully connected layer takes is in a cache
json "[k['bound'] for k in o['kernels'] if k['name'].startswith('fc1')] == ['memory']"

# ---- several numbers of threads ---------------------------------------------------------------------------

bench 0 "$net" --threads 1,2
see out '^kernel  *µs: 1 thread  *2 threads  *rate'
see out '^threads  *median ms  *speed-up  *GFLOP/s  *of peak  *peak GFLOP/s  *memory GB/s$'
see out '^ *2  *[0-9.]*  *[0-9.]*  '
bench 0 "$net" -t 2,1 --cold --json
json "o['threads'] == 2 and [r['threads'] for r in o['by_threads']] == [2, 1] and o['by_threads'][0]['speed_up'] == 1"
json "all(r['median_ms'] > 0 and r['peak_gflops'] > 0 and r['read_gbytes']['memory'] > 0 for r in o['by_threads'])"
json "all([r['threads'] for r in k['by_threads']] == [2, 1] for k in o['kernels'])"
bench 0 "$net" -t 2 --json
json "o['threads'] == 2 and len(o['by_threads']) == 1"
for list in 0 257 '' , 1, ,1 1,1 1,x 1,2,257 1-2 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17; do refused 2 "$net" -t "$list"; done
see err '^lunette: --threads wants a whole number from 1 to 256, or up to 16 of them such as 1,2,4, not '

# ---- beside the kernels -----------------------------------------------------------------------------------

bench 0 "$net" --against im2col
see out '  im2col µs  *ratio  *schedule$'
see out '^im2col: least times add up to .* ms, the kernels. to .* ms, .*x'
bench 0 "$net" --against im2col --json
json "o['against'] == 'im2col' and all(k['against_ms'] > 0 for k in o['kernels'] if k['name'].startswith(('conv', 'fc')))"
bench 0 "$net" --against plain --cold -t 1,2
see out '  plain µs  *ratio  *schedule$'
bench 0 "$net" --against reference
see out '  reference µs  *ratio  *schedule$'
bench 0 --conv mb1ic4ih9oc8kh3 --against im2col --json
json "[k['ratio'] > 0 for k in o['kernels'] if k['name'].startswith('conv')][0]"
refused 2 "$net" --against nothing
see err 'plain, im2col or reference'

# ---- layers from a file -----------------------------------------------------------------------------------

cat >list <<'END_LIST'
# two convolutions
mb1ic3ih9oc8kh3ph1n"one"

g4mb2ic8ih9oc8kh3n"two # not a comment"
END_LIST
bench 0 --conv-batch list
see out '^layer  *µs  *rate  *of bound  *whole µs  *schedule$'
see out '^mb1ic3ih9oc8kh3ph1n"one" .* GFLOP/s .* tile of'
bench 0 --conv-batch list --json
json "[c['batch'] for c in o] == [1, 2] and [c['macs'] for c in o] == [9 * 9 * 8 * 3 * 9, 2 * 7 * 7 * 8 * 2 * 9]"
json "all(c['ms'] > 0 and c['gflops'] > 0 and c['bound_share'] > 0 and c['schedule'] and c['at'] for c in o)"
bench 0 --conv-batch list --json --algorithm im2col --batch 3 --cold -t 2
json "all(c['batch'] == 3 and c['cold'] and c['threads'] == 2 for c in o)"
printf 'ic3ih2oc4kh9\nic3ih9oc4kh3\ng3ic4ih9oc8kh3\n' >wrong
bench 5 --conv-batch wrong
see out '^ic3ih2oc4kh9  *-  .*not possible: along h'
see out '^ic3ih9oc4kh3 .* GFLOP/s'
bench 5 --conv-batch wrong --json
json "['error' in c for c in o] == [True, False, True] and o[0]['exit'] == 5 and o[0]['at'] == 'wrong:1'"
printf 'ic3ih2oc4kh3ph5oh1\nmb1ic3ih9oc4kh3\nmb1ic100000ih60000oc8kh3ph1\n' >unsupported
bench 4 --conv-batch unsupported --json
json "[c.get('exit', 0) for c in o] == [4, 0, 4]"
echo '# nothing' >empty
refused 5 --conv-batch empty;    see err 'no descriptors'
refused 5 --conv-batch nowhere
refused 2 --conv-batch list "$net"
refused 2 --conv-batch list --conv ic3ih9oc4kh3
refused 2 --conv-batch list --layer 'conv{8, 3}'
refused 2 --conv-batch list --algorithm nothing
for more in '-i 3,9,9' '-w x.npz' '--set a=1' '--const a=b' '--shape a=1' '--against plain' '--spills' '--pooling max' '-t 1,2'; do
    # shellcheck disable=SC2086
    refused 2 --conv-batch list $more
    see err 'does not go with --conv-batch$'
done

bench 0 --help
see out 'which is memory with --cold'

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
