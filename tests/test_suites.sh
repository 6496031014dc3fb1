#!/usr/bin/env bash
# Single layers: descriptors and files of them, --layer, --random, --laws, and bench of a descriptor.
# Usage: test_suites.sh LUNETTE SOURCE_DIR
set -u
lunette=$(realpath "$1")
source_dir=$(realpath "$2")
lists=$source_dir/../shared/data/benchdnn
seed=${SUITES_SEED:-4}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export XDG_CACHE_HOME=$dir/cache
cd "$dir" || exit 1
passed=0 failed=0

bad() { failed=$((failed + 1)); echo "FAILED: $*"; }
good() { passed=$((passed + 1)); }

# expect CODE ARGUMENT…: 0 and 1 tell something on stdout, others one line on stderr and nothing else.
expect() {
    local want=$1 code
    shift
    "$lunette" "$@" >out 2>err </dev/null
    code=$?
    if [ "$code" != "$want" ]; then
        bad "exit $code, not $want: lunette $* ($(tail -n 3 out | head -c 300)$(head -c 300 err))"
    elif [ "$want" -gt 1 ] && { [ -s out ] || [ "$(wc -l <err)" != 1 ] || ! grep -q '^lunette: .' err; }; then
        bad "output in spite of an error, or no message of one line: lunette $* ($(head -c 300 out)$(head -c 300 err))"
    else
        good
    fi
}
see() { if grep -q -e "$2" "$1"; then good; else bad "'$2' is not in std$1: $(tail -n 4 "$1" | head -c 400)"; fi; }

# ---- one descriptor -------------------------------------------------------------------------------------

expect 0 check --conv 'ic64ih56oc64oh56kh3ph1n"name"'
see out '^passed  ic64ih56oc64oh56kh3ph1n"name"  [0-9]* of 401408 outputs'
see out '^1 passed, 0 failed, 0 not supported'
expect 0 check --conv 'mb1g3ic6oc9id7kd3sd2' --full --seed 5
expect 0 check --pool ic4ih9kh3ph1
expect 0 check --pool ic4ih9kh3ph1 --pooling avg_p
see out 'within rounding'
expect 0 check --pool ic4ih8kh2sh2 --pooling avg_np
expect 0 check --conv mb256ic3oc8ih500kh3 --max-spatial 20
see out 'extents cut'
expect 0 check --conv ic4oc4ih8kh3 --json
for key in '"good": true' '"passed": 1' '"verdict": "passed"' '"repro": "lunette check --conv '; do see out "$key"; done
expect 0 check --conv ic2oc2ih2147483647kh3ph1 # as much of it as there is room for
see out 'extents cut'
expect 4 check --conv ic2oc2ih60000kh60000
see err 'elements, more than'
expect 4 check --layer 'maxpool{2}' -i 3,60000,60000
expect 2 check --conv ic4oc4ih8kh9
see err 'the kernel spans 9 positions'
expect 2 check --conv ic4oc4ih8khx
see err 'at column 12'
expect 2 check --conv ic4oc4ih8kh3 --pool ic4ih8kh3
expect 2 check --conv ic4oc4ih8kh3 net.lua
expect 2 check --conv ic4oc4ih8kh3 --algorithm never
expect 2 check --conv ic4oc4ih8kh3 --pooling max
expect 2 check --conv ic4oc4ih8kh3 -w x.npz
expect 2 check --conv ic4oc4ih8kh3 --batch 3
for options in "--set a=1" "--const a=b" "--shape a=1" "--cache-dir x" "--rtol 0.1" "--against x" "-i x"; do
    # shellcheck disable=SC2086 # an option and its value
    expect 2 check --conv ic4oc4ih8kh3 $options
done
expect 0 check --conv ic4oc4ih8kh3 --cpu x86-64-v2
expect 2 check --conv ic4oc4ih8kh3 --cpu z80
expect 2 check --pool ic4ih8kh3 --pooling min
expect 2 check --max-spatial 8
expect 2 check --kind conv
expect 2 check

# ---- files ------------------------------------------------------------------------------------------------

printf '# two\nic4oc4ih8kh3n"one" # and\n\nic4oc6iw9kw3pw1\n' >two
expect 0 check --batch two
see out '^2 passed, 0 failed, 0 not supported'
expect 0 check --batch two --kind conv --json
printf 'ic4ih8kh3\nic4ih8kh2sh2\n' >pools
expect 0 check --batch pools --kind pool --pooling avg_p
mkdir -p pool
cp pools pool/list
expect 0 check --batch pool/list
see out '^2 passed'
expect 2 check --batch pool/list --kind conv --pooling max
printf 'ic4oc4ih8kh3\nic4oc4ih8\n' >wrong
"$lunette" check --batch wrong >out 2>err
[ $? = 5 ] && good || bad "a wrong line is no file error"
see err 'wrong:2: kh is missing'
expect 5 check --batch missing
expect 2 check --batch two --kind dense
expect 2 check --batch two specs.lua
expect 2 check --batch two --random 3

# ---- layers, random ones, laws --------------------------------------------------------------------------------

expect 0 check --layer 'conv{8, 3, pad=1, stride=2}' -i 3,9,9
see out '^passed  conv{8, 3, pad=1, stride=2}'
expect 0 check --layer 'maxpool{2}' --input 8x8 --batch 3 --seed 2
expect 3 check --layer 'conv{8, 30}' -i 3,9,9
see err 'the kernel spans 30'
expect 3 check --layer 'nothing{8}' -i 3,9,9
expect 4 check --layer 'relu()' -i 3,9,9
expect 4 check --layer 'relu():maxpool{2}' -i 3,9,9
expect 2 check --layer 'conv{8, 3}'
expect 2 check --layer 'conv{8, 3}' -i 3,9,9 -i 4
expect 2 check --layer 'conv{8, 3}' -i 3:9
expect 2 check --layer 'conv{8, 3}' -i 3,9,9 --algorithm direct
expect 0 check --random 200 --seed "$seed"
see out '^200 passed, 0 failed, 0 not supported'
expect 0 check --random 10 --seed "$seed" --json
see out '"passed": 10'
expect 2 check --random 0
expect 2 check --random 3 --laws
expect 0 check --laws --seed "$seed"
see out ' 0 failed, seed '
expect 0 check --laws --seed "$seed" --json
see out '"good": true'

# ---- bench ----------------------------------------------------------------------------------------------------

expect 0 bench --conv 'mb1ic16ih14oc32oh14kh3ph1n"b"' --seconds 0.05
see out 'GFLOP/s'
see out 'batch 1'
expect 0 bench --conv ic16ih14oc32kh3 --seconds 0.05 --batch 3
see out 'batch 3'
expect 0 bench --pool ic16ih14kh3 --seconds 0.05 --json
see out '"spec": "ic16ih14kh3"'
expect 0 bench --layer 'conv{8, 3}' -i 3,9,9 --seconds 0.05
expect 2 bench --conv ic16
expect 2 bench --conv ic16ih14oc32kh3 net.lua
expect 2 bench

# ---- the shape lists: a tenth of them, which one the seed says --------------------------------------------------

if [ -d "$lists" ]; then
    for kind in conv deconv pool; do
        cat "$lists/$kind"/* | awk -v r="$seed" '!/^[ \t]*#/ && NF && n++ % 10 == r % 10' >tenth
        expect 0 check --batch tenth --kind $kind
        see out "^$(wc -l <tenth) passed, 0 failed, 0 not supported"
    done
else
    echo "skipped: the shape lists are not in $lists"
fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
