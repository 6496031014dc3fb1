#!/usr/bin/env bash
# The networks of specs/: each compiles to a plan and has the parameters, multiply-adds, result and names of layers
# that its paper's PyTorch implementation has. Usage: test_specs.sh LUNETTE SOURCE_DIR
set -u
lunette=$(realpath "$1")
cd "$2/specs" || exit 1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

bad() { failed=$((failed + 1)); echo "FAILED: $*"; }
good() { passed=$((passed + 1)); }
total() { sed -n "s/^  \"$1\": \([0-9]*\),*\$/\1/p" "$dir/out"; }  # of the whole network, not of a layer
result() { tr -d ' \n' <"$dir/out" | grep -o '"shape":\[[0-9,]*]' | tail -n 1 | tr -d '"shape:[]' | tr , ' '; }

# spec [settings]; parameters; multiply-adds, those with zeros around an image too; shape of the result; a layer near its end
table='
alexnet                             61100840    714188480  1 1000     classifier.6
c3d                                 79991015  38548959232  1 487      fc8
c3d pool5_pad=0                     65310951  38534279168  1 487      fc8
dcgan                                3576704    116916224  1 3 64 64  main.12
densenet121                          7978856   2834161664  1 1000     features.denseblock4.denselayer16.conv2
densenet121 depth=161               28681000   7727907072  1 1000     features.denseblock4.denselayer24.conv2
inception_v3                        23834568   5713216096  1 1000     Mixed_7c.branch_pool.bn
inception_v3 transform=true         23834568   5713216096  1 1000     Mixed_7c.branch_pool.bn
lenet5                                 61706       416520  1 10       fc3
mobilenet_v1                         4231976    568740352  1 1000     model.13.4
mobilenet_v1 width=0.5               1331592    149497088  1 1000     model.13.4
mobilenet_v2                         3504872    300774272  1 1000     features.17.conv.3
mobilenet_v2 width=0.5               1968680     97131840  1 1000     features.17.conv.3
resnet18                            11689512   1814073344  1 1000     layer4.1.conv2
resnet18 depth=34                   21797672   3663761408  1 1000     layer4.2.conv2
resnet50                            25557032   4089184256  1 1000     layer4.0.downsample.1
resnet50 depth=152                  60192808  11513626624  1 1000     layer4.0.downsample.1
resnet50 groups=32 width=4          25028904   4230479872  1 1000     layer4.0.downsample.1
resnet50 width=128                  68883240  11398021120  1 1000     layer4.0.downsample.1
smallcnn                              144954      9145856  1 10       layer6.bn
squeezenet1_1                        1235496    349151936  1 1000     classifier.1
style                                1679235  10078912512  1 3 256 256  deconv3.conv2d
tiny                                   15770        72128  1 10       fc
vgg16                              138357544  15470264320  1 1000     features.28
vgg16 depth=11 batchnorm=true      132868840   7609090048  1 1000     features.26
xception                            22855952   8357403496  1 1000     block12.rep.4.pointwise
'

check() { # spec, settings, parameters, multiply-adds, shape, layer
    local set=() s
    for s in $2; do set+=(--set "$s"); done
    "$lunette" show --json "$1.lua" "${set[@]}" >"$dir/out" 2>"$dir/err" </dev/null || { bad "$1 $2: exit $?: $(cat "$dir/err")"; return; }
    local is should
    is="$(total parameters) parameters, $(total macs) multiply-adds, result $(result)"
    should="$3 parameters, $4 multiply-adds, result $5"
    if [ "$is" = "$should" ]; then good; else bad "$1 $2: $is; should be $should"; fi
    if [ "$(total kernels)" -gt 0 ]; then good; else bad "$1 $2: a plan without kernels"; fi
    if grep -q "\"name\": \"$6\"" "$dir/out"; then good; else bad "$1 $2: no layer $6"; fi
}

while read -r spec rest; do
    [ -n "$spec" ] || continue
    read -r -a word <<<"$rest"
    settings=''
    while [[ ${word[0]} == *=* ]]; do settings+="${word[0]} "; word=("${word[@]:1}"); done
    last=$((${#word[@]} - 1))
    check "$spec" "$settings" "${word[0]}" "${word[1]}" "${word[*]:2:last-2}" "${word[last]}"
done <<<"$table"

for file in *.lua; do
    if grep -q "^${file%.lua} " <<<"$table"; then good; else bad "$file has no row here"; fi
done

for net in vgg16 resnet18 resnet50 densenet121; do # a depth that is none
    "$lunette" show $net.lua --set depth=1 >"$dir/out" 2>"$dir/err"
    code=$?
    if [ $code = 3 ] && [ ! -s "$dir/out" ] && grep -q "^lunette: $net.lua:[0-9]*: depth is [0-9]" "$dir/err"; then good
    else bad "$net depth=1: exit $code, $(cat "$dir/err")"; fi
done

echo "$passed passed, $failed failed"
[ $failed = 0 ]
