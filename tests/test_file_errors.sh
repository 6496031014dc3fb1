#!/bin/bash
# Goldens of what wrong files give: message and exit code, against tests/file_errors.expected. $1: the lunette
# binary, $2: the source folder, $3: --update writes the file instead.
set -u
lunette=$1 source=$2
dir=$(mktemp -d) || exit 71
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 71
lenet="$source/specs/lenet5.lua" weights="$source/specs/weights/lenet5-fashion.safetensors"
try() { # a name for the case, then the arguments
    local name=$1 message code
    shift
    message=$("$lunette" "$@" 2>&1 >/dev/null)
    code=$?
    echo "$name: exit $code: $message" | sed "s|$source/||g; s|$dir/||g"
}
with_weights() { try "$1" run "$lenet" -w "$2" --seed 1; }
with_input() { try "$1" run "$lenet" -w "$weights" -i "$2"; }
npy() { # FILE TYPE SHAPE DATA
    { printf '\223NUMPY\001\000v\000'; printf '%-117s\n' "{'descr': '$2', 'fortran_order': False, 'shape': ($3), }"; printf '%b' "$4"; } >"$1"
}
typed() { try "$1" "${3:-run}" "$source/tests/specs/ok/typed.lua" --seed 1 -i "$2"; }
cases() {
    with_weights "weights missing" none.safetensors
    head -c 5 "$weights" >short.safetensors; with_weights "weights without a header" short.safetensors
    head -c 300 "$weights" >cut.safetensors; with_weights "weights cut in the header" cut.safetensors
    head -c 200000 "$weights" >tail.safetensors; with_weights "weights cut in the data" tail.safetensors
    printf '\377\377\377\377\377\377\377\177{}' >huge.safetensors; with_weights "header longer than any file" huge.safetensors
    printf '\014\0\0\0\0\0\0\0{"a":[1,2}  ' >json.safetensors; with_weights "header that is no JSON" json.safetensors
    mkdir folder; with_weights "weights that are a folder" folder
    with_weights "weights of another network" "$source/specs/weights/smallcnn-mnist.safetensors"
    try "weights of another shape" run "$lenet" -w "$weights" --set classes=7 --seed 1
    try "weights with too many tensors" run "$source/tests/specs/extra/lenet_head.lua" -w "$weights" --seed 1
    with_weights "npz that is no zip" text.npz
    with_input "input missing" none.png
    echo "hello" >text; with_input "input that is a text" text
    : >empty; with_input "empty input" empty
    printf 'P5\n20 10\n255\n' >short.pgm; with_input "picture without pixels" short.pgm
    { printf 'P5\n4 4\n255\n'; printf '%016d' 0; } >small.pgm; with_input "picture of another size" small.pgm
    { printf 'P6\n28 28\n255\n'; head -c 2352 /dev/zero; } >colour.ppm; with_input "colour where grey is wanted" colour.ppm
    printf '\211PNG\r\n\032\n\0\0' >cut.png; with_input "cut PNG" cut.png
    printf '\377\330\377\340\0\020JFIF' >cut.jpg; with_input "cut JPEG" cut.jpg
    printf '\223NUMPY\001\0v\0{' >cut.npy; with_input "cut npy" cut.npy
    printf '\0\0\010\003\0\0\0\002\0\0\0\034\0\0\0\034abc' >short.idx; with_input "IDX with less than it says" short.idx
    local zeros='\0\0\0\0\0\0\0\0' twenty='\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
    npy floats.npy '<f4' '1, 5' "$twenty\\0"; typed "floats for an input of indexes" ids=floats.npy
    npy far.npy '<i8' '1, 5' "$zeros$zeros$zeros\\x64\\0\\0\\0\\0\\0\\0\\0$zeros"; typed "index out of range" ids=far.npy
    typed "index out of range, checked" ids=far.npy check
    npy below.npy '|i1' '1, 5' '\0\0\0\0\x9b'; typed "index below the range" ids=below.npy
    npy two.npy '|u1' '1, 5, 4' "$twenty\\x02"; typed "a 2 for a bool" mask=two.npy
    npy wide.npy '<i8' '' '\0\0\0\0\x01\0\0\0'; typed "an integer too wide" count=wide.npy
    npy widest.npy '<u8' '' '\x01\0\0\0\0\0\0\x80'; typed "the widest integer" count=widest.npy
    npy list.npy '<i4' '1,' '\x01\0\0\0'; typed "a list for a single number" count=list.npy
    printf '\0\0\010\001\0\0\0\001x' >label.idx; with_input "IDX of labels as input" label.idx
    try "input of another name" run "$lenet" -w "$weights" -i picture=small.pgm
    try "output into a folder that is missing" run "$lenet" -w "$weights" --seed 1 -o none/y.npy
    echo 'return 1 +' >syntax.lua; try "spec that does not parse" show syntax.lua
    printf '\033Lua' >code.lua; try "spec of bytecode" show code.lua
    echo 'graph g {' >cut.graph; try "cut graph" show cut.graph
}
mkdir -p "$dir"
echo x >text.npz
cases >got
if [ "${3:-}" = --update ]; then cp got "$source/tests/file_errors.expected"; exit; fi
if diff "$source/tests/file_errors.expected" got; then echo "$(wc -l <got) passed, 0 failed"; else echo "0 passed, 1 failed"; exit 1; fi
