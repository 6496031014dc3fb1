#!/usr/bin/env bash
# The command line: good runs, and for every wrong flag, file, shape and spec the exit code and one
# line of message. Usage: test_cli.sh LUNETTE SOURCE_DIR
set -u
lunette=$(realpath "$1")
source_dir=$(realpath "$2")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export XDG_CACHE_HOME=$dir/cache
cd "$dir" || exit 1
cp -r "$source_dir/specs" specs
net=specs/lenet5.lua
weights=specs/weights/lenet5-mnist.safetensors
passed=0 failed=0

bad() { failed=$((failed + 1)); echo "FAILED: $*"; }

# expect CODE ARGUMENT…: runs lunette; a failure must say so in one line and leave stdout empty.
expect() {
    local want=$1 code
    shift
    "$lunette" "$@" >out 2>err </dev/null
    code=$?
    if [ "$code" != "$want" ]; then
        bad "exit $code, not $want: lunette $* ($(head -c 300 err))"
    elif [ "$want" != 0 ] && { [ "$(wc -l <err)" != 1 ] || ! grep -q '^lunette: .' err; }; then
        bad "no message of one line: lunette $* ($(head -c 300 err))"
    elif [ "$want" != 0 ] && [ -s out ]; then
        bad "output in spite of an error: lunette $*"
    else
        passed=$((passed + 1))
    fi
}

# see FILE PATTERN: after expect, FILE (out or err) has a line like this.
see() { if grep -q -e "$2" "$1"; then passed=$((passed + 1)); else bad "'$2' is not in std$1: $(head -c 300 "$1")"; fi; }
holds() { if "$@"; then passed=$((passed + 1)); else bad "$*"; fi; }

# ---- data made here --------------------------------------------------------------------------------

zeros() { head -c "$1" /dev/zero; }
# npy SHAPE BYTES: float32, all zero; the header with its \n takes 128 bytes
npy() {
    printf '\x93NUMPY\x01\x00\x76\x00'
    printf '%-117s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': $1, }"
    zeros "$2"
}
be32() { printf '%b' "$(printf '\\x%02x\\x%02x\\x%02x\\x%02x' $(($1 >> 24 & 255)) $(($1 >> 16 & 255)) $(($1 >> 8 & 255)) $(($1 & 255)))"; }
idx() { # RANK-BYTE EXTENT…
    printf '\x00\x00\x08'
    printf '%b' "\\x0$1"
    shift
    for e in "$@"; do be32 "$e"; done
}
# The first test image of MNIST, a 7, and a 4 x 3 picture in colour.
base64 -d >seven.png <<'END'
iVBORw0KGgoAAAANSUhEUgAAABwAAAAcCAAAAABXZoBIAAAAo0lEQVR42mNgGG4gZOf86TYqOCTv/QOCj8egYJUJiqRzkUfR4sf/HgKV/Hr6718PpnZBJz5nZ2dr0Tf/snDaH/z3ohAuObGX/4Nxamz8904Hl5z1z392ODW2/tvNikuO8+wPK5wa6/5twynn/fuDJS454bv/luGSYz7977YyLkm1f/98ccnJP/hXzIjbi/9McMnZfsIjWfnv320N3JLnhUhIWQDoRUgXuTMqowAAAABJRU5ErkJggg==
END
base64 -d >colour.png <<'END'
iVBORw0KGgoAAAANSUhEUgAAAAQAAAADCAIAAAA7ljmRAAAADElEQVR42mNgIAoAAAAnAAH0usIGAAAAAElFTkSuQmCC
END
npy '(1, 28, 28)' 3136 >one.npy
npy '(1, 1, 28, 28)' 3136 >batch1.npy
npy '(5, 1, 28, 28)' 15680 >five.npy
npy '(1, 27, 28)' 3024 >short.npy
npy '(0, 1, 28, 28)' 0 >none.npy
npy '(2, 4, 4)' 128 >four.npy
npy '(3, 2, 4, 4)' 384 >fours.npy
npy '(1, 28, 28)' 3000 >cut.npy
{ printf 'P5\n28 28\n255\n'; zeros 784; } >gray.pgm
{ printf 'P6\n28 28\n255\n'; zeros 2352; } >colour.ppm
{ idx 3 3 28 28; zeros 2352; } >images.idx
gzip -c images.idx >images.idx.gz
{ idx 1 3; printf '\x01\x02\x03'; } >labels.idx
{ idx 1 4; printf '\x01\x02\x03\x04'; } >labels4.idx
{ idx 1 3; printf '\x01\x02\x0c'; } >labels12.idx
head -c 200000 "$weights" >cut.safetensors
cat >two.lua <<'END'
local a = input { "a", 2, 4, 4 }
local b = input { "b", 2, 4, 4 }
return { sum = a + b, mean = (a + b):globalavgpool():flatten() }
END
echo 'local x = input { "x", 3, 8, 8 } return x:conv { 4, 3, strid = 2 }' >typo.lua
echo 'local x = input { "x", 3, 8, 8 } return x:conv { 4, 9 }' >large.lua
echo 'this is no Lua' >syntax.lua
echo 'local x = input { "x", 3, 8, 8 } return x:conv { 4, 3, schedule = "split q 3 -> a b" }' >schedule.lua

# ---- the program -----------------------------------------------------------------------------------

expect 0 --help;    see out '^Usage: lunette'
expect 0 --version; see out '^lunette [0-9]'
expect 2
expect 2 rnu;       see err 'did you mean run'
expect 2 --nonsense
for command in run check show bench dump ops; do
    expect 0 $command --help
    see out 'Usage: lunette'
    expect 2 $command --nonsense
done
for command in run show bench dump; do
    expect 2 $command
    expect 2 $command $net again.lua
    expect 5 $command missing.lua
    expect 2 $command $net --cpu z81
    for value in 0 -1 x 65537 3x 1.5 '' 99999999999999999999; do expect 2 $command $net --batch "$value"; done
    for value in classes '=3' '' classes=ten nonsense=3; do expect 2 $command $net --set "$value"; done
done
expect 2 run --treads 3; see err 'did you mean --threads'
expect 2 run $net -t
expect 2 run $net -q
expect 2 run $net --json=yes
for value in 0 257 x ' 1' 1e1; do expect 2 run $net --seed 1 -t "$value"; done
for value in -1 x 18446744073709551616; do expect 2 run $net --seed "$value"; done

# ---- run -------------------------------------------------------------------------------------------

expect 0 run $net -w $weights -i seven.png
see out '^7 0.99'
holds test "$(sed -n 2p out | cut -d' ' -f1)" = 7
holds test "$(grep -vc '^#' out)" = 5
expect 0 run $net -w $weights -i image=seven.png --top 1 --no-cache
holds test "$(grep -vc '^#' out)" = 1
expect 0 run $net -w $weights -i seven.png --json
see out '"outputs"'
for input in one.npy batch1.npy gray.pgm; do expect 0 run $net -w $weights -i $input; done
for batch in 1 2 5 64; do
    expect 0 run $net -w $weights -i five.npy --batch $batch -o y$batch.npy
    holds test "$(stat -c %s y$batch.npy)" = 328
    holds cmp y1.npy y$batch.npy
done
expect 0 run $net -w $weights -i five.npy -t 2 -o threads.npy
holds cmp y1.npy threads.npy
expect 0 run $net -w $weights -i images.idx -o plain.npy
expect 0 run $net -w $weights -i images.idx.gz -o packed.npy
holds cmp plain.npy packed.npy
expect 0 run $net -w $weights -i images.idx --labels labels.idx
see out '^accuracy [0-3] / 3 = '
expect 0 run $net --seed 1;                see err 'weights are random, from seed 1'
expect 0 run $net -w $weights --seed 1;    see err 'input image is random, from seed 1'
expect 0 run $net --seed 1 --set classes=3; see out '\[1, 3\]'
expect 0 run two.lua --seed 2 -o folder/
holds test -s folder/sum.npy -a -s folder/mean.npy
expect 0 run two.lua --seed 2 -o folder
expect 2 run two.lua --seed 2 -o one.npy
expect 2 run two.lua -i a=four.npy -i a=four.npy; see err 'two files'
expect 5 run two.lua -i a=four.npy -i b=fours.npy; see err '3 images'
expect 0 run two.lua -i b=fours.npy -i a=fours.npy --batch 2 -o folder/
holds test "$(stat -c %s folder/mean.npy)" = 152
expect 2 run two.lua -i c=missing.npy;     see err "no input 'c'"
expect 2 run $net -w $weights;             see err 'input image has no file'
expect 2 run $net -i seven.png;            see err 'the network has weights'
expect 2 run $net -w $weights -i seven.png -i seven.png
expect 2 run $net -w $weights -i seven.png -o result.txt
expect 2 run $net -w $weights -i seven.png --top 0
expect 5 run $net -w $weights -i seven.png -o missing/y.npy
expect 5 run $net -w $weights -i seven.png -o missing/y/
holds test ! -e missing
expect 5 run $net -w $weights -i missing.png
expect 5 run $net -w $weights -i .
expect 5 run $net -w $weights -i colour.png;  see err '\[3, 3, 4\].*\[1, 28, 28\]'
expect 5 run $net -w $weights -i colour.ppm;  see err '\[3, 28, 28\].*\[1, 28, 28\]'
expect 5 run $net -w $weights -i short.npy;   see err '\[1, 27, 28\].*\[1, 28, 28\]'
expect 5 run $net -w $weights -i none.npy
expect 5 run $net -w $weights -i cut.npy
expect 5 run $net -w $weights -i $net
expect 5 run $net -w $weights -i images.idx --labels labels4.idx;  see err '\[4\].*\[3\]'
expect 5 run $net -w $weights -i images.idx --labels labels12.idx; see err 'is 12'
expect 5 run $net -w $weights -i images.idx --labels images.idx
expect 5 run $net -w missing.safetensors -i one.npy
expect 5 run $net -w cut.safetensors -i one.npy
expect 5 run $net -w seven.png -i one.npy
expect 5 run $net -w specs/weights/smallcnn-mnist.safetensors -i one.npy
expect 5 run $net -w $weights -i one.npy --set classes=11; see err 'fc3'

# ---- specs -----------------------------------------------------------------------------------------

expect 3 show typo.lua;     see err 'typo.lua:1: .*stride'
expect 3 show large.lua;    see err 'large.lua:1: '
expect 3 show syntax.lua;   see err 'syntax.lua:1: '
expect 3 show schedule.lua; see err 'schedule.lua:1: '

# ---- show, dump, ops, bench ------------------------------------------------------------------------

expect 0 show $net
see out '^conv1  *conv  *\[1 6 28 28\]  *156  *117600  *5x5  *18816$'
see out '^total  *61706  *416520'
expect 0 show $net --batch 3 --json; see out '"parameters": 61706'
for letter in w f l g k s p i o a; do
    expect 0 dump $net -d $letter
    holds test -s out
done
see out 'vfmadd\|mulps'
expect 0 dump $net -d wflg; see out '# after fold: unchanged'
expect 0 dump $net --layer conv1; holds test "$(grep -c '^kernel' out)" = 1
expect 2 dump $net --layer conv9
expect 2 dump $net -d wx;  see err "no letter 'x'"
expect 2 dump $net -d ''
# A graph goes out and in again, as written and with its layouts.
expect 0 run $net -w $weights -i seven.png -o direct.npy
for letter in w l; do
    expect 0 dump $net -d $letter
    cp out copy.graph
    expect 0 run copy.graph -w $weights -i seven.png -o again.npy
    holds cmp direct.npy again.npy
done
expect 2 show copy.graph --batch 2
head -c 500 copy.graph >cut.graph
expect 3 show cut.graph
cat copy.graph copy.graph >twice.graph
expect 3 show twice.graph
# And a kernel, plain and scheduled.
for letter in k s; do
    expect 0 dump $net -d $letter --layer fc3
    cp out $letter.kernel
    expect 0 run $letter.kernel --seed 1 -o $letter.npy
done
holds test "$(stat -c %s s.npy)" = 168
expect 2 run s.kernel
expect 2 run s.kernel --seed 1 --batch 2
expect 2 run s.kernel --seed 1 -i v=one.npy
expect 5 run s.kernel --seed 1 -i bias=one.npy; see err '\[1, 28, 28\].*\[10\]'
sed 's/for c 84/for c 85/' k.kernel >bounds.kernel
expect 3 run bounds.kernel --seed 1
expect 0 dump $net -d k
cp out all.kernel
expect 3 run all.kernel --seed 1
expect 0 ops;         see out '^conv(x weight bias?)'
expect 0 ops conv;    see out 'stride'
expect 0 ops --json;  see out '"name": "maxpool"'
expect 2 ops cnov;    see err 'did you mean conv'
expect 2 ops conv dense
expect 0 bench $net -w $weights --seconds 0.05 --json
for key in median_ms min_ms p90_ms runs threads peak_gflops first_answer_ms kernels name ms gflops share schedule; do see out "\"$key\": "; done
expect 0 bench $net --seconds 0.05 --against plain;     see out 'plain µs'; see err 'random, from seed 1'
expect 0 bench $net --seconds 0.05 --against reference; see out 'reference µs'
expect 0 bench $net --seconds 0.05 --spills --json;     see out '"inner_stores": '
expect 2 bench $net --against nothing
for value in 0 x -1 1e9; do expect 2 bench $net --seconds "$value"; done

# ---- tensors that are no float32 ---------------------------------------------------------------------

# typed SHAPE TYPE BYTES…: an npy file of these bytes
typed() {
    printf '\x93NUMPY\x01\x00\x76\x00'
    printf '%-117s\n' "{'descr': '$2', 'fortran_order': False, 'shape': $1, }"
    printf '%b' "$3"
}
cat >typed.lua <<'END'
local image, mask = input { "image", 3, 2, 2 }, input { "mask", 3, 2, 2, type = "bool" }
local best = image:reshape { { 0, -1 } }:argmax { 1 }
return { { "best", best }, { "kept", image * mask:cast { "f32" } }, { "mask", mask:reverse { 1 } } }
END
npy '(3, 3, 2, 2)' 144 >dark.npy
typed '(3, 3, 2, 2)' '|b1' '\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00' >mask.npy
{ idx 1 3; printf '\x00\x00\x04'; } >zeros.idx
expect 0 run typed.lua -i dark.npy -i mask=mask.npy --batch 2
see out '^# best \[3\]: image, value'
see out '^2 0$'
expect 0 run typed.lua -i dark.npy -i mask=mask.npy --json
see out '"type": "i64"'
see out '"type": "bool"'
see out '^ *true,$'
expect 0 run typed.lua -i dark.npy -i mask.npy --labels zeros.idx;  see out '^accuracy 2 / 3'
expect 0 run typed.lua -i dark.npy -i mask=mask.npy -o typed_out/
holds grep -q "'descr': '<i8', 'fortran_order': False, 'shape': (3,)" typed_out/best.npy
holds grep -q "'descr': '|b1', 'fortran_order': False, 'shape': (3, 3, 2, 2)" typed_out/mask.npy
expect 0 run typed.lua -i image=typed_out/kept.npy -i mask=typed_out/mask.npy # what was written is read
expect 5 run typed.lua -i image=mask.npy -i mask=dark.npy;  see err 'mask is bool: integers expected'
expect 0 check typed.lua --seed 3 --batch 2;  see out '^best .* agrees$'
expect 0 check typed.lua --seed 3 --exact --batch 3
expect 0 bench typed.lua --seconds 0.01
cat >whole.lua <<'END'
local n, x = input { "n", shape = {}, type = "i32" }, input { "x", shape = { 5, 2 } }
return { { "one", n + 1 }, { "rows", x:gather { n } } }
END
typed '()' '<i4' '\x04\x00\x00\x00' >n.npy
expect 0 run whole.lua -i n=n.npy --seed 1;  see out '^# one \[\]$'
see out '^5$'
see out '^# rows \[2\]$'
typed '(5, 2)' '|i1' '\x00\x01\x02\x03\x04\x05\x06\x07\xf8\xf9' >x.npy # integers are numbers too
expect 0 run whole.lua -i n=n.npy -i x=x.npy -o against/
cp n.npy x.npy against
expect 0 check whole.lua --against against;  see out '^one  *1  *0  *native  *agrees$'
typed '()' '<i8' '\x06\x00\x00\x00\x00\x00\x00\x00' >against/one.npy
"$lunette" check whole.lua --against against >out 2>err
holds test $? = 1
see out '^one is the first that departs'
typed '()' '<i4' '\x05\x00\x00\x00' >n.npy
expect 5 run whole.lua -i n=n.npy --seed 1;    see err "input 'n': element 0 is 5, not in -5 … 4"
expect 5 check whole.lua -i n=n.npy --seed 1;  see err "input 'n': element 0 is 5, not in -5 … 4"
expect 0 bench whole.lua --seconds 0.01 --against reference

# ---- output that cannot be written -----------------------------------------------------------------

"$lunette" ops >/dev/full 2>err
holds test $? = 71
see err '^lunette: cannot write the output: '
{ sleep 0.2; "$lunette" ops 2>err; echo $? >code; } | true
holds test "$(cat code)" = 71

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
