#!/bin/bash
# lunette import and export from the shell: files, exit codes, messages, the same bits. $1: the lunette binary, $2: the
# source folder.
set -u
lunette=$1 source=$2
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
export XDG_CACHE_HOME=$dir/cache
passed=0 failed=0
good() { passed=$((passed + 1)); }
bad() { echo "FAIL: $1"; failed=$((failed + 1)); }

# wanted exit status, a part of the message, then the arguments
refused() {
    local wanted=$1 part=$2 said status
    shift 2
    said=$("$lunette" "$@" 2>&1)
    status=$?
    if [ $status = "$wanted" ] && [[ $said == *"$part"* ]]; then good; else bad "$*: exit $status, not $wanted: $said"; fi
}
works() { if "$lunette" "$@" >out.txt 2>err.txt; then good; else bad "$*: $(cat err.txt)"; fi; }
same() { if cmp -s "$1" "$2"; then good; else bad "$1 and $2 differ"; fi; }
no_file() { if [ -e "$1" ]; then bad "$1 is there"; else good; fi; }

# there and back
works export "$source/specs/tiny.lua" --seed 1 -o tiny.onnx
works run "$source/specs/tiny.lua" --seed 1 -o a.npy
works run tiny.onnx --seed 1 -o b.npy
same a.npy b.npy
works import tiny.onnx -o spec
[ "$(cat out.txt)" = $'spec/tiny.lua\nspec/tiny.safetensors' ] && good || bad "import prints $(cat out.txt)"
works run spec/tiny.lua -w spec/tiny.safetensors --seed 1 -o c.npy
same a.npy c.npy
works import tiny.onnx -o spec # over the files that are there
works export spec/tiny.lua -w spec/tiny.safetensors -o again.onnx
works run again.onnx --seed 1 -o d.npy
same a.npy d.npy
works export "$source/specs/lenet5.lua" -w "$source/specs/weights/lenet5-mnist.safetensors" --batch 3 -o three.onnx
works import three.onnx -o spec # a batch that is not 1 stands in the spec
works run spec/three.lua -w spec/three.safetensors --seed 1 -o e.npy
works run three.onnx --seed 1 -o f.npy
same e.npy f.npy
refused 2 "have their whole shape" run spec/three.lua -w spec/three.safetensors --seed 1 --batch 2

# what goes wrong
refused 2 "the network has weights" export "$source/specs/tiny.lua" -o none.onnx
refused 2 "export wants a file" export "$source/specs/tiny.lua" --seed 1
refused 2 "export wants a file" export "$source/specs/tiny.lua" --seed 1 -o none.txt
refused 5 "cannot write" export "$source/specs/tiny.lua" --seed 1 -o none/none.onnx
refused 3 "conv" export "$source/tests/specs/bad/groups.lua" --seed 1 -o none.onnx
refused 2 "import wants an ONNX model" import "$source/specs/tiny.lua" -o spec
refused 2 "import wants a folder" import tiny.onnx
refused 2 "has no option '--cpu'" import tiny.onnx -o spec --cpu x86-64-v3
refused 5 "none.onnx" import none.onnx -o fresh
refused 4 "this op is not known" import "$source/tests/onnx/unknown.onnx" -o fresh
refused 5 "cannot make the folder" import tiny.onnx -o none/none
refused 5 "tiny.onnx" import tiny.onnx -o tiny.onnx
head -c 300 tiny.onnx >cut.onnx
refused 5 "cut.onnx" import cut.onnx -o fresh
cat >laid.graph <<'GRAPH'
graph laid {
    x: input() : f32[n1 c8]
    y: relayout(x) : f32[n1 C1 c8]
    z: relayout(y) : f32[n1 c8]
    return z = z
}
GRAPH
refused 4 "node 'y' (relayout)" export laid.graph -o none.onnx
no_file none.onnx
no_file fresh
[ -z "$(find . -name '*.tmp')" ] && good || bad "temporary files are left: $(find . -name '*.tmp')"

echo "$passed passed, $failed failed"
[ $failed = 0 ]
