#!/usr/bin/env bash
# The example program: short, right on a picture as on the same numbers, and clear about every wrong argument.
# Usage: test_example.sh BUILD_DIR SOURCE_DIR
set -u
example=$(realpath "$1")/example_classify
source_dir=$(realpath "$2")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export XDG_CACHE_HOME=$dir/cache
cd "$dir" || exit 1
net=$source_dir/specs/lenet5.lua
weights=$source_dir/specs/weights/lenet5-mnist.safetensors
passed=0 failed=0

bad() { failed=$((failed + 1)); echo "FAILED: $*"; }
holds() { if "$@"; then passed=$((passed + 1)); else bad "$*"; fi; }

# expect CODE ARGUMENT…: runs the example; a failure says so in one line and leaves stdout empty.
expect() {
    local want=$1 code
    shift
    "$example" "$@" >out 2>err </dev/null
    code=$?
    if [ "$code" != "$want" ]; then
        bad "exit $code, not $want: example_classify $* ($(head -c 300 err))"
    elif [ "$want" != 0 ] && { [ "$(wc -l <err)" != 1 ] || ! grep -q '^example_classify: .' err || [ -s out ]; }; then
        bad "no message of one line, or output: example_classify $* ($(head -c 300 err))"
    else
        passed=$((passed + 1))
    fi
}
see() { if grep -q -e "$2" "$1"; then passed=$((passed + 1)); else bad "'$2' is not in std$1: $(head -c 300 "$1")"; fi; }

# ---- the source: under 60 lines, of Lunette only the public header -------------------------------------

source=$source_dir/specs/examples/classify.c
holds test "$(wc -l <"$source")" -lt 60
holds test "$(grep '^#include "' "$source")" = '#include "frontend/lunette.h"'

# ---- a drawn digit -------------------------------------------------------------------------------------

# A 28 x 28 picture: rows of characters, one for two pixels each way, # bright, + half, the rest dark.
# `numbers` gives the pixels as decimal bytes, a row a line.
numbers() {
    local row line i
    while IFS= read -r row; do
        line=
        for ((i = 0; i < 14; i++)); do
            case "${row:i:1}" in '#') line+='255 255 ' ;; +) line+='128 128 ' ;; *) line+='0 0 ' ;; esac
        done
        printf '%s\n%s\n' "$line" "$line"
    done
}
# pgm HEAD <numbers: the same as a binary PGM
pgm() { printf '%b' "$1" "$(awk '{ for (i = 1; i <= NF; i++) printf "\\0%o", $i }')"; }

numbers >seven.txt <<'END'
..............
..............
..............
...+######+...
...+#######...
.........##...
........##+...
........##....
.......##+....
.......##.....
......##+.....
......##......
......+.......
..............
END
numbers >one.txt <<'END'
..............
..............
.......#+.....
......+#+.....
......+#......
......+#......
......+#......
......##......
......##......
......#+......
.....+#+......
.....+#.......
..............
..............
END
pgm 'P5\n28 28\n255\n' <seven.txt >seven.pgm
pgm 'P5 # drawn\n#by hand\n 28\t28 \n#\n255\n' <one.txt >one.pgm
holds test "$(wc -c <seven.pgm)" = 797
for v in $(cat seven.txt); do case $v in 0) echo 0 ;; 128) echo 0.501960784 ;; *) echo 1.0 ;; esac; done >seven.floats

expect 0 "$net" "$weights" seven.pgm
holds test "$(wc -l <out)" = 3
holds test "$(head -n 1 out | cut -d: -f1)" = 'class 7'
holds test "$(grep -cE '^class [0-9]: [0-9]+\.[0-9]{2} %$' out)" = 3
holds test "$(cut -d: -f1 out | sort -u | wc -l)" = 3
holds test "$(sed 's/.*: //' out)" = "$(sed 's/.*: //' out | sort -rn)"
cp out seven.out
expect 0 "$net" "$weights" seven.floats; holds cmp -s out seven.out
expect 0 "$net" "$weights" one.pgm;      holds test "$(head -n 1 out | cut -d: -f1)" = 'class 1'
expect 0 "$source_dir/specs/smallcnn.lua" "$source_dir/specs/weights/smallcnn-mnist.safetensors" seven.pgm
holds test "$(head -n 1 out | cut -d: -f1)" = 'class 7'

# ---- wrong arguments -----------------------------------------------------------------------------------

expect 2;                                      see err 'usage: '
expect 2 "$net" "$weights"
expect 2 "$net" "$weights" seven.pgm more
expect 5 none.lua "$weights" seven.pgm;        see err 'none.lua: cannot open'
expect 5 "$net" none seven.pgm;                see err 'none: cannot open'
expect 5 "$net" "${weights/lenet5/smallcnn}" seven.pgm; see err 'conv1.weight is missing'
echo 'return input {' >bad.lua
expect 3 bad.lua "$weights" seven.pgm;         see err 'bad.lua:'
echo 'local x = input { "x", 1, 28, 28 } return { a = x:relu(), b = x:tanh() }' >two.lua
printf '\2\0\0\0\0\0\0\0{}' >empty.safetensors
expect 4 two.lua empty.safetensors seven.pgm;  see err 'one input and one output'

# ---- wrong images --------------------------------------------------------------------------------------

head -c 796 seven.pgm >short.pgm
{ cat seven.pgm; printf x; } >long.pgm
pgm 'P5\n27 28\n255\n' <seven.txt >narrow.pgm
pgm 'P5\n28 28\n65535\n' <seven.txt >wide.pgm
pgm 'P5\n28 28\n0\n' <seven.txt >black.pgm
pgm 'P5\n28 x28\n255\n' <seven.txt >letters.pgm
printf 'P5' >head.pgm
printf 'P5\n28 28 #' >comment.pgm
pgm 'P2\n28 28\n255\n' <seven.txt >plain.pgm
: >empty
head -n 783 seven.floats >short.floats
{ cat seven.floats; echo 0; } >long.floats
sed '5s/.*/zero/' seven.floats >word.floats
for file in short.pgm long.pgm narrow.pgm wide.pgm black.pgm letters.pgm head.pgm comment.pgm plain.pgm empty short.floats long.floats word.floats none .; do
    expect 5 "$net" "$weights" "$file"
    see err "$file: not an image"
done

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
