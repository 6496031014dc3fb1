#!/usr/bin/env bash
# lunette tune and schedules from files: what is written is read, what does not fit is said and left out. Never speed.
# Usage: test_tune.sh LUNETTE SOURCE_DIR
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
expect() { # CODE ARGUMENT…
    local want=$1 code
    shift
    "$lunette" "$@" >out 2>err </dev/null
    code=$?
    if [ "$code" != "$want" ]; then bad "exit $code, not $want: $* ($(head -c 300 err))"; else good; fi
}
refused() {
    expect "$@"
    if [ -s out ] || [ "$(wc -l <err)" != 1 ] || ! grep -q '^lunette: .' err; then bad "no message of one line: $*"; fi
}
see() { if grep -q -e "$2" "$1"; then good; else bad "'$2' is not in std$1: $(head -c 1000 "$1")"; fi; }
same() { if cmp -s "$1" "$2"; then good; else bad "$1 and $2 differ"; fi; }

# ---- tune ---------------------------------------------------------------------------------------------------

expect 0 tune "$net" --seconds 0.05 -o found.lua
see out '^kernel  *of a run  *tried  *model ms  *best ms  *schedule$'
see out '^conv2 '
see out 'kernels have a better schedule, written to found.lua; together they save .* % of a run$'
head -n 1 found.lua >out && see out '^-- lenet5 on .*, 1 thread: '
expect 0 check "$net" --schedules found.lua
if grep -q skipped err; then bad "what tune wrote does not fit: $(cat err)"; else good; fi

refused 2 tune "$net"
see err 'tune wants -o FILE'
refused 2 tune "$net" -o x.lua --schedules found.lua
refused 2 tune "$net" -o x.lua --seconds 0
refused 5 tune "$net" -o none/x.lua --seconds 0.01
refused 5 tune none.lua -o x.lua
if [ -e x.lua ]; then bad "x.lua was written"; else good; fi

# ---- files of schedules ---------------------------------------------------------------------------------------

steps='split w 7 -> wo wi; order n h wo kh kw wi o; stage y at wo; unroll wi; vec o'
cat >good.lua <<EOF
schedules {
    conv1 = "$steps",
}
EOF
expect 0 dump "$net" --schedules good.lua -d s --layer conv1
see out '^# from the schedules file$'
see out 'by { split w 7 -> wo wi'
expect 0 check "$net" --schedules good.lua --seed 3
expect 0 run "$net" --seed 3 -o plain.npy
expect 0 run "$net" --seed 3 --schedules good.lua -o scheduled.npy

cat >partly.lua <<EOF
schedules {
    conv1 = { "split w 7 -> wo wi", "par wi" },
    conv9 = "vec o",
}
EOF
expect 0 run "$net" --seed 3 --schedules partly.lua -o partly.npy
see err "^lunette: partly.lua: conv1: no longer legal, skipped: step 2 'par wi': "
see err '^lunette: partly.lua: conv9: no kernel begins with this layer, skipped$'
same plain.npy partly.npy

wrong() { # TEXT MESSAGE
    printf '%s\n' "$1" >wrong.lua
    refused 3 run "$net" --seed 1 --schedules wrong.lua
    see err "$2"
}
wrong 'schedules { conv1 = 3 }' 'wrong.lua:1: schedules: conv1 is a number, a string or a list of strings expected$'
wrong 'schedules { conv1 = { "vec o", 3 } }' 'wrong.lua:1: schedules: conv1: step 2 is a number, a string expected$'
wrong 'schedules { "vec o" }' "wrong.lua:1: schedules: a layer's name expected, not a number$"
wrong 'schedules "conv1"' 'wrong.lua:1: schedules wants a table'
wrong 'schedules { conv1 = "vec o" }
schedules { conv1 = "vec o" }' 'wrong.lua:2: schedules: conv1 is there twice$'
wrong 'schedules {' 'wrong.lua:2: '
refused 5 run "$net" --seed 1 --schedules none.lua

# ---- in a spec -------------------------------------------------------------------------------------------------

cat >spec.lua <<EOF
local x = input { "x", 1, 28, 28 }
schedules { conv1 = "$steps" }
return x:conv { 6, 5, pad = 2, name = "conv1" }:relu()
EOF
expect 0 dump spec.lua -d s --layer conv1
see out '^# given in the spec$'
expect 0 check spec.lua
sed 's/schedules { conv1/schedules { conv2/' spec.lua >unknown.lua
refused 3 show unknown.lua
see err "unknown.lua: schedules: there is no layer 'conv2'$"
sed 's/split w 7/split q 7/' spec.lua >illegal.lua
refused 3 show illegal.lua
see err "conv1: step 1 'split q 7 -> wo wi': no loop named q"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
