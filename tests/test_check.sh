#!/usr/bin/env bash
# lunette check: what agrees, what departs, what cannot be checked, and the exit code of each.
# Usage: test_check.sh LUNETTE SOURCE_DIR
set -u
lunette=$(realpath "$1")
source_dir=$(realpath "$2")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export XDG_CACHE_HOME=$dir/cache
cd "$dir" || exit 1
cp -r "$source_dir/specs" specs
passed=0 failed=0

bad() { failed=$((failed + 1)); echo "FAILED: $*"; }
good() { passed=$((passed + 1)); }

# expect CODE ARGUMENT…: 0 and 1 give a report on stdout; the others one line on stderr and no report.
expect() {
    local want=$1 code
    shift
    "$lunette" check "$@" >out 2>err </dev/null
    code=$?
    if [ "$code" != "$want" ]; then
        bad "exit $code, not $want: check $* ($(tail -n 3 out | head -c 300)$(head -c 300 err))"
    elif [ "$want" -le 1 ] && ! [ -s out ]; then
        bad "no report: check $*"
    elif [ "$want" -gt 1 ] && { [ -s out ] || ! tail -n 1 err | grep -q '^lunette: .'; }; then
        bad "a report in spite of an error, or no message: check $* ($(head -c 300 err))"
    else
        good
    fi
}
# see FILE PATTERN: the last run's out or err has such a line; miss: it has none.
see() { if grep -q -e "$2" "$1"; then good; else bad "'$2' is not in std$1: $(tail -n 4 "$1" | head -c 400)"; fi; }
miss() { if grep -q -e "$2" "$1"; then bad "'$2' is in std$1"; else good; fi; }

# npy DESCR SHAPE: the header of 128 bytes; the numbers come after it.
npy() {
    printf '\x93NUMPY\x01\x00\x76\x00'
    printf '%-117s\n' "{'descr': '$1', 'fortran_order': False, 'shape': $2, }"
}

# ---- both networks, trained, random and in integers -------------------------------------------------

for net in lenet5 smallcnn; do
    spec=specs/$net.lua
    for data in mnist fashion; do
        expect 0 "$spec" -w specs/weights/$net-$data.safetensors --seed 3
        see out 'kernels agree: '
        see err 'input is random, from seed 3'
        miss err 'weights are random'
    done
    for options in "--seed 1" "--seed 2 -t 2" "--full" "--batch 3 -t 2" "--exact" "--exact --seed 9 -t 2" "--exact --batch 2 --full" "--no-cache"; do
        # shellcheck disable=SC2086 # several options
        expect 0 "$spec" $options
        see out 'kernels agree: '
        miss out DIFFERS
        miss out MISTRUSTED
    done
    for cpu in x86-64-v2 x86-64-v3; do
        "$lunette" run "$spec" --seed 1 --cpu $cpu >/dev/null 2>&1 || continue # not on this machine
        expect 0 "$spec" --cpu $cpu
        expect 0 "$spec" --cpu $cpu --exact
    done
done
expect 0 specs/lenet5.lua --exact
see out '9 kernels agree: 4 exact, 5 within'
see err 'small integers'
expect 0 specs/smallcnn.lua --exact
see out '12 kernels agree: 10 exact, 2 within'

# one row a kernel, the same for any number of threads
rows() { "$lunette" check "$@" 2>/dev/null | sed 's/ ([0-9.]* s)$//'; }
if [ "$(rows specs/smallcnn.lua --seed 4 -t 1)" = "$(rows specs/smallcnn.lua --seed 4 -t 2)" ]; then good; else bad "threads change the report"; fi

# ---- every kind of op ---------------------------------------------------------------------------------

cat >mix.lua <<'END'
local x = input { "image", 3, 33, 29 }
local a = x:conv { 24, 3, stride = 2, pad = 1, name = "a" }:batchnorm { name = "a_bn" }:relu6()
local b = a:conv { 24, 3, pad = 1, groups = 24, name = "dw" }:batchnorm { name = "dw_bn", eps = 1e-3 }:relu6()
local c = b:conv { 24, 1, name = "pw" }:batchnorm { name = "pw_bn", eps = 0.01 }
local r = a + c
local d = r:batchnorm { name = "alone" }:leakyrelu { 0.25 }
local e = r:conv { 20, 3, pad = 2, dilation = 2, groups = 4, name = "g" }:leakyrelu { 0.1 }
local f = concat { d, e, r:maxpool { 3, 1, pad = 1 } }
local g = f:avgpool { 3, 2, pad = 1, count_pad = false }:sigmoid()
return { map = g:conv { 1, 1, name = "one" }, prob = g:globalavgpool():flatten():dense { 7, name = "fc" }:logsoftmax(), raw = r, same = x }
END
cat >volume.lua <<'END'
local x, z = input { "volume", 2, 9, 10, 11 }, input { "extra", 16, 9, 10, 11 }
local y = x:conv { 16, 3, pad = 1, name = "c1" }:relu()
return (y + z):maxpool { 2 }:conv { 8, { 1, 3, 3 }, name = "c2", bias = false }:globalavgpool():flatten():softmax()
END
cat >signal.lua <<'END'
local y = input { "signal", 4, 100 }:conv { 33, 5, stride = 2, pad = 2, name = "c1" }:sigmoid():maxpool { 2 }
return y:conv { 17, 3, name = "c2" }:tanh():avgpool { 4 }:flatten():dense { 1, name = "o" }
END
for spec in mix volume signal; do
    for options in "" "--seed 7 --batch 2" "--exact" "--exact --seed 8 -t 2"; do
        # shellcheck disable=SC2086
        expect 0 $spec.lua $options
    done
done

# ---- sampling -----------------------------------------------------------------------------------------

cat >wide.lua <<'END'
return input { "image", 64, 56, 56 }:conv { 64, 3, pad = 1, name = "wide" }:relu()
END
expect 0 wide.lua
see out 'sampled [0-9]*/[0-9]*  *same bits'
expect 0 wide.lua --full
miss out sampled
expect 0 wide.lua --exact
see out 'sampled .*exact'

# ---- JSON ---------------------------------------------------------------------------------------------

expect 0 specs/lenet5.lua --json
for key in '"good": true' '"kernels":' '"ratio":' '"worst_at":' '"interpreted":' '"outputs":' '"relative_error":' '"must_be_exact": false'; do see out "$key"; done
expect 0 specs/lenet5.lua --json --exact
see out '"must_be_exact": true'

# ---- against other numbers -----------------------------------------------------------------------------

seed="--seed 6"
mkdir theirs
{ npy '|u1' '(1, 1, 28, 28)'; seq 1000 9999 | tr -d '\n' | head -c 784; } >theirs/image.npy
cat >parts.lua <<'END'
local c = input { "image", 1, 28, 28 }:conv { 6, 5, pad = 2, name = "conv1" }
return { ["conv1_"] = c, pool = c:tanh():avgpool { 2 } }
END
# shellcheck disable=SC2086
{
    "$lunette" run specs/lenet5.lua $seed -i theirs/image.npy -o theirs/output.npy >/dev/null 2>&1
    "$lunette" run parts.lua $seed -i theirs/image.npy -o parts/ >/dev/null 2>&1
}
cp parts/pool.npy theirs/avgpool_1.npy
cp parts/conv1_.npy theirs/conv1.npy
expect 0 specs/lenet5.lua $seed --against theirs
see out 'conv1 .*the reference: it is inside a kernel.*agrees'
see out 'avgpool_1 .*native.*agrees'
see out 'output .*native.*agrees'
see out '0 of 3 tensors depart'
miss err 'input is random'
expect 0 specs/lenet5.lua $seed --against theirs --json
see out '"departs": false'
expect 0 specs/lenet5.lua $seed --against theirs --rtol 1e-6
expect 1 specs/lenet5.lua --seed 7 --against theirs
see out 'conv1 is the first that departs'
expect 1 specs/lenet5.lua $seed --against theirs --rtol 1e-12
cp theirs/avgpool_1.npy theirs/other.npy
expect 0 specs/lenet5.lua $seed --against theirs
see err 'other.npy is not named after a tensor'

# what cannot be compared is never success
mkdir none unlike noinput
expect 5 specs/lenet5.lua --against none
see err 'no npy file is named after a tensor'
cp theirs/image.npy none/
expect 5 specs/lenet5.lua --against none
cp theirs/image.npy unlike/
cp theirs/image.npy unlike/conv1.npy
expect 5 specs/lenet5.lua --against unlike
see err 'conv1 is \[1, 1, 28, 28\], the network has \[1, 6, 28, 28\]'
cp theirs/output.npy noinput/
expect 5 specs/lenet5.lua $seed --against noinput
see err 'input image is not given'
expect 0 specs/lenet5.lua $seed --against noinput -i theirs/image.npy
head -c 140 theirs/output.npy >none/output.npy
expect 5 specs/lenet5.lua --against none
expect 5 specs/lenet5.lua --against missing
expect 5 specs/lenet5.lua --against specs/lenet5.lua

# ---- data that shows nothing -----------------------------------------------------------------------------

{ npy '<f4' '(1, 1, 28, 28)'; head -c 3136 /dev/zero; } >black.npy
expect 1 specs/lenet5.lua -i black.npy
see out 'MISTRUSTED'
see out 'its input image is one number everywhere'
expect 1 specs/lenet5.lua -i black.npy --json
see out '"mistrusted"'
see out '"good": false'
expect 0 specs/lenet5.lua -i image=theirs/image.npy

# ---- trouble ---------------------------------------------------------------------------------------------

expect 2
expect 2 specs/lenet5.lua --fulll
expect 2 specs/lenet5.lua --exact -w specs/weights/lenet5-mnist.safetensors
expect 2 specs/lenet5.lua --exact -i theirs/image.npy
expect 2 specs/lenet5.lua --exact --against theirs
expect 2 specs/lenet5.lua --rtol 1e-3
expect 2 specs/lenet5.lua --against theirs --rtol 0
expect 2 specs/lenet5.lua --against theirs --rtol x
expect 2 specs/lenet5.lua --cpu z80
expect 2 specs/lenet5.lua -i nothing=theirs/image.npy
expect 2 mix.lua --set depth=3
echo 'return input { "x", 3, 8, 8 }:conv { 4, 9 }' >bad.lua
expect 3 bad.lua
expect 5 missing.lua
expect 5 specs/lenet5.lua -w specs/weights/smallcnn-mnist.safetensors
expect 5 specs/lenet5.lua -w missing.safetensors
expect 5 specs/lenet5.lua -i missing.npy
expect 5 specs/lenet5.lua -i black.npy --batch 2

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
