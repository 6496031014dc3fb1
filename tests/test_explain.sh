#!/usr/bin/env bash
# lunette explain: whole texts, known answers, layers of specs against `show`, and for every wrong
# argument exit 2 and one line that says where. Usage: test_explain.sh LUNETTE SOURCE_DIR
set -u
lunette=$(realpath "$1")
cd "$2" || exit 1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

bad() { failed=$((failed + 1)); echo "FAILED: $*"; }

# same WANT ARGUMENT…: explain prints just this.
same() {
    local want=$1
    shift
    local have
    have=$("$lunette" explain "$@" 2>&1) || bad "exit $?: explain $*"
    if [ "$have" = "$want" ]; then passed=$((passed + 1)); else bad "explain $*"; diff <(echo "$want") <(echo "$have"); fi
}

# has PATTERN ARGUMENT…: a line of what explain prints is like this.
has() {
    local want=$1
    shift
    if "$lunette" explain "$@" 2>&1 | grep -q -e "$want"; then passed=$((passed + 1)); else
        bad "'$want' is not in: explain $*"; fi
}

# refuses MESSAGE ARGUMENT…: exit 2, nothing on stdout, this message.
refuses() {
    local want=$1 code
    shift
    "$lunette" explain "$@" >"$dir/out" 2>"$dir/err"
    code=$?
    if [ $code = 2 ] && [ ! -s "$dir/out" ] && [ "$(cat "$dir/err")" = "lunette: $want" ]; then passed=$((passed + 1)); else
        bad "exit $code, not 2 with '$want': explain $*"; cat "$dir/err"; fi
}

# ---- three layers whole ------------------------------------------------------------------------------

same "$(cat <<'END'
conv: 1×224 → 1×112
  kernel 5, stride 2, dilation 1, padding same: w 1 + 2, 1 group

Output size: o = ⌊(l + p − k) / s⌋ + 1
  w: l = 224, kernel 5, s = 2
     o = ⌈l / s⌉ = ⌈224 / 2⌉ = 112
     p = max(s(o − 1) + k − l, 0) = max(2·111 + 5 − 224, 0) = 3: left ⌊p/2⌋ = 1, right ⌈p/2⌉ = 2
     o = ⌊(224 + 3 − 5) / 2⌋ + 1 = ⌊222 / 2⌋ + 1 = 112

Padding by each convention, along w
                 p  sides    o  PyTorch          TensorFlow     Caffe   ONNX
     per side    3  1 + 2  112  F.pad (1, 2)     tf.pad [1, 2]  –       pads=[1, 2]
     total       3  1 + 2  112  F.pad (1, 2)     tf.pad [1, 2]  –       pads=[1, 2]
     valid       0  0 + 0  110  padding='valid'  "VALID"        pad: 0  VALID
  →  same        3  1 + 2  112  F.pad (1, 2)     "SAME"         –       SAME_UPPER
     same_lower  3  2 + 1  112  F.pad (2, 1)     tf.pad [2, 1]  –       SAME_LOWER
     half        4  2 + 2  112  padding=2        tf.pad [2, 2]  pad: 2  pads=[2, 2]
     full        8  4 + 4  114  padding=4        tf.pad [4, 4]  pad: 4  pads=[4, 4]

Cost
  parameters      6 = 1·(1/1)·5 weights + 1 bias
  multiply-adds   560 = 112 outputs · 5 terms, an image

Receptive field, in positions of the layer's input
     size  jump  start  centre
  w     5     2     -1       1
  Output 0 sees positions start … start + size − 1 (below 0: padding), output i those i·jump further.

As a matrix
  im2col          [1 × 5] · [5 × 112] → [1 × 112]
                  560 elements, 2.5 times the input's 224
  dense           [112 × 224], 25088 entries, 557 of them not zero (97.78 % are zero)
                  made of 5 distinct weights, each in 111.4 places on average
  as an MLP       25200 parameters, 4200 times as many
END
)" 'conv{kernel=5, stride=2, pad="same"}' '--input' '224'

same "$(cat <<'END'
y = M x + b: M is [5 × 6], a row for each output, a column for each input; · is zero

    │  x0  x1  x2  x3  x4  x5         y
y0  │   3   2   2   ·   ·   ·  ·x =   7
y1  │   ·   3   2   2   ·   ·  ·x =   8
y2  │   ·   ·   3   2   2   ·  ·x =  16
y3  │   ·   ·   ·   3   2   2  ·x =  14
y4  │   ·   ·   ·   ·   3   2  ·x =  11

entries   30
not zero  14 (53.33 % are zero)
distinct  3 weights are all of them; a fully connected layer of this size has 35 parameters, this one 4

y[0,4] of conv
  window: channel 0; w from 4·1 − 0 = 4 to 6
  3 terms, 1 of them padding

       · · · · ■ ■ □
      ■ in the window, □ in it and padding, · input, ░ padding

  y[0,4] =
        x[0,4]·w[0,0,0]  + x[0,5]·w[0,0,1]  + (0)·w[0,0,2]
      + b[0]
  (0) stands for padding

  with the values
        3·3  + 1·2  + (0)·2
      + 0
  y[0,4] = 11
END
)" 'conv{kernel=3, total=1}' '--input' '6' '--pixel' '0,4' '--matrix' '--values' 'x=1,0,2,2,3,1' 'w=3,2,2'

same "$(cat <<'END'
y[3,0,2] of conv
  window: channels 2 … 3; h from 0·2 − 1 = -1 to 1; w from 2·2 − 1 = 3 to 5
  18 terms, 10 of them padding

       ░ ░ ░ ░ □ □ □
       ░ · · · ■ ■ □
       ░ · · · ■ ■ □
       ░ · · · · · ░
       ░ · · · · · ░
       ░ · · · · · ░
       ░ ░ ░ ░ ░ ░ ░
      ■ in the window, □ in it and padding, · input, ░ padding

  y[3,0,2] =
        (0)·w[3,0,0,0]       + (0)·w[3,0,0,1]       + (0)·w[3,0,0,2]
      + x[2,0,3]·w[3,0,1,0]  + x[2,0,4]·w[3,0,1,1]  + (0)·w[3,0,1,2]
      + x[2,1,3]·w[3,0,2,0]  + x[2,1,4]·w[3,0,2,1]  + (0)·w[3,0,2,2]
      + (0)·w[3,1,0,0]       + (0)·w[3,1,0,1]       + (0)·w[3,1,0,2]
      + x[3,0,3]·w[3,1,1,0]  + x[3,0,4]·w[3,1,1,1]  + (0)·w[3,1,1,2]
      + x[3,1,3]·w[3,1,2,0]  + x[3,1,4]·w[3,1,2,1]  + (0)·w[3,1,2,2]
      + b[3]
  (0) stands for padding
END
)" 'conv{4, 3, stride=2, pad="same", groups=2}' '--input' '4,5,5' '--pixel' '3,0,2'

# ---- known answers --------------------------------------------------------------------------------

has '→ 1×110$' 'conv{kernel=5, stride=2, pad="valid"}' --input 224
has 'max(2·111 + 5 − 224, 0) = 3: left ⌊p/2⌋ = 1, right ⌈p/2⌉ = 2$' 'conv{kernel=5, stride=2, pad="same"}' --input 224
has '→ 1×111×111$' 'conv{kernel={5,5}, total={1,1}, stride={2,2}}' --input 224x224
has '→ 1×111×113$' 'conv{kernel={5,1}, total={1,1}, stride={2,2}}' --input 224x224
has '→ 64×112×112$' 'conv{64, 7, stride=2, pad=3}' --input 3,224,224
has 'parameters      9472 = 64·(3/1)·7×7 weights + 64 biases' 'conv{64, 7, stride=2, pad=3}' --input 3,224,224
has 'k = d(kernel − 1) + 1 = 2·2 + 1 = 5' 'conv{kernel=3, dilation=2}' --input 9
has '→ 4×16×16$' 'maxpool{3, 2, ceil=true}' --input 4,32,32
has 'begin behind the input: 2$' 'avgpool{2, 3, pad=1, ceil=true}' --input 1,4
x=x=1,0,2,2,3,1 w=w=3,2,2
same '7 8 16 14 11' 'conv{kernel=3, total=1}' --input 6 --values $x $w
same '7 8 16 14 11' 'conv{kernel=3, pad="total 1"}' --input 6 --values "$x $w"
same '7 8 16 14' 'conv{kernel=3, pad=0}' --input 6 --values $x $w
same '2 7 8 16 14 11' 'conv{kernel=3, pad="same"}' --input 6 --values $x --values $w
same '7 16 11' 'conv{kernel=3, total=1, stride=2}' --input 6 --values=$x --values=$w
x2='x=1 2 3 2; 2 3 2 5; 1 2 2 1; 0 2 1 2' w2='w=-1 1; -1 1'
same $'2 0 2\n2 -1 2\n3 -1 0' 'conv{kernel=2}' --input 4x4 --values "$x2" "$w2"
has '"total": 3' 'conv{kernel=5, stride=2, pad="same"}' --input 224 --json
has '"value": 2.0$' 'conv{kernel=2}' --input 4x4 --pixel 0,0,0 --values "$x2" "$w2" --json
has '"distinct": 4' 'conv{kernel=2}' --input 4x4 --matrix --json

# ---- layers of specs, against show ---------------------------------------------------------------------

for spec in specs/lenet5.lua specs/smallcnn.lua specs/tiny.lua; do
    "$lunette" show "$spec" | sed 's/[][]//g' | awk '$2 == "conv" || $2 ~ /pool/ && $2 !~ /global/' >"$dir/layers"
    while read -r name op _ c h w params macs field _; do
        has "^$name, $op: .* → $c×${h}×$w\$" "$spec" --layer "$name"
        has "^  h  *${field%x*}  " "$spec" --layer "$name"
        [ "$op" = conv ] || continue
        has "parameters *$params = " "$spec" --layer "$name"
        has "multiply-adds *$macs = " "$spec" --layer "$name"
    done <"$dir/layers"
    [ -s "$dir/layers" ] || bad "$spec: no layers"
done

# Where branches meet, what either sees: h 3 positions from −1 on, then a residual 7 from −3, pooled, with holes.
cat >"$dir/net.lua" <<'END'
local y = input { "image", 3, 33, 33 }:conv { 8, 3, stride = 2, pad = 1, name = "a" }
local z = y:conv { 8, 3, pad = 1, groups = 2, name = "b" }:relu()
return (y + z):maxpool { 3, 2, pad = 1, name = "p" }:conv { 4, 3, dilation = 2, name = "c" }
END
has '^  h  *3  *2  *-1  *0$' "$dir/net.lua" --layer a
has '^  h  *7  *2  *-3  *0$' "$dir/net.lua" --layer b
has '^  h  *27  *4  *-5  *8$' "$dir/net.lua" --layer c
has '+ x\[6,1,4\]·w\[5,2,2,2\]$' "$dir/net.lua" --layer b --pixel 5,0,3
cat >"$dir/modes.lua" <<'END'
return input { "x", 3, 16, 16 }:conv { 8, 3, pad = 1, pad_mode = "reflect", name = "a" }:maxpool { 3, 2, ceil = true, name = "p" }
END
has ', padded by reflection$' "$dir/modes.lua" --layer a
has '→ 8×8×8$' "$dir/modes.lua" --layer p

# ---- wrong arguments ------------------------------------------------------------------------------

wrong() { refuses "$1" "$2" --input 7; }
wrong "at column 6: an attribute or } is wanted, but the text ends" 'conv{'
wrong "at column 6: conv has no attribute 'kernl'; did you mean 'kernel'?" 'conv{kernl=3}'
wrong "at column 13: kernel must be from 1 to 65536, not 0" 'conv{kernel=0}'
wrong "at column 13: kernel must be from 1 to 65536, not -1" 'conv{kernel=-1}'
wrong "at column 13: kernel must be from 1 to 65536, not 99999999999999999999" 'conv{kernel=99999999999999999999}'
wrong "at column 13: a whole number is wanted, not '1.5}'" 'conv{kernel=1.5}'
wrong "at column 13: the kernel spans 9 positions, the input with its padding has 7" 'conv{kernel=9}'
wrong "at column 15: a comma or } is wanted, not 'stride=2}'" 'conv{kernel=3 stride=2}'
wrong "at column 20: there is no padding 'smae'; did you mean 'same'?" 'conv{kernel=3, pad="smae"}'
wrong "at column 19: this string has no end" 'conv{kernel=3,pad="x'
wrong "at column 23: kernel is given twice" 'conv{kernel=3, kernel=2}'
wrong "at column 22: 2 groups do not divide the input's 1 channels" 'conv{kernel=3,groups=2}'
wrong "at column 27: pad and total are both given" 'conv{kernel=3,pad=1,total=2}'
wrong "at column 20: more numbers than there can be axes" 'conv{kernel={3,3,3,3}}'
wrong "at column 15: a pool's padding must be less than its window, which spans 2 positions" 'maxpool{2,pad=2}'
wrong "at column 11: conv has no attribute 'ceil'" 'conv{8,3, ceil=true}'
wrong "at column 7: conv needs a kernel: kernel = 3" 'conv{}'
wrong "at column 1: conv, maxpool or avgpool is wanted, not 'cov{kernel=3}'" 'cov{kernel=3}'
wrong "at column 16: nothing after the layer is wanted, not 'x'" 'conv{kernel=3} x'
ok='conv{kernel=3}'
refuses "at column 27: stride has 3 numbers, but the input has 2 axes" 'conv{kernel={3,3}, stride={1,2,3}}' --input 7x7
refuses "--input: at column 3: a whole number is wanted, but the text ends" "$ok" --input 5x
refuses "--input: at column 4: a comma, an x or the end is wanted, not ',3'" "$ok" --input 5x5,3
refuses "--input: at column 1: an extent must be from 1 to 2147483647, not 99999999999" "$ok" --input 99999999999
refuses "at column 1: the layer is too large: its numbers pass 2^63" 'conv{kernel=65536, out=16777216}' \
    --input 16777216,2147483647,2147483647,2147483647
refuses "explain wants the size of the input: --input 3,224,224" "$ok"
refuses "--pixel 0,5: at column 3: the output's w goes from 0 to 4" "$ok" --input 7 --pixel 0,5
refuses "--pixel wants 2 whole numbers, the channel first, not '0'" "$ok" --input 7 --pixel 0
refuses "--values: x has 1 numbers, but the input has 7" "$ok" --input 7 --values x=1
refuses "--values: at column 3: a number, x=, w= or b= is wanted, not 'a'" "$ok" --input 7 --values x=a
refuses "--matrix prints at most 64 rows and 64 columns, this matrix has 98 and 100: give a smaller input, or leave --matrix out, its numbers are told all the same" "$ok" --input 100 --matrix
refuses "--matrix: a maximum is no linear map, so a maxpool has no matrix" 'maxpool{3}' --input 9 --matrix
refuses "'fc1' is of op dense; explain knows conv, maxpool and avgpool: conv1, avgpool_1, conv2, avgpool_2" specs/lenet5.lua --layer fc1
refuses "there is no layer 'conv3', did you mean conv1?" specs/lenet5.lua --layer conv3
refuses "explain wants the layer of a spec: --layer NAME; lunette show lists them" specs/lenet5.lua

# ---- transposed convolutions, and true convolution ---------------------------------------------------
up='convtranspose{8, 3, stride=2, pad=1, output_pad=1}'
has '^convtranspose: 16×7×7 → 8×14×14$' "$up" --input 16,7,7
has '^     o = (7 − 1)·2 + 3 − 2 + 1 = 14$' "$up" --input 16,7,7
has '^  parameters      1160 = 16·(8/1)·9 weights + 8 biases$' "$up" --input 16,7,7
has '^  multiply-adds   56448, an image' "$up" --input 16,7,7
has '^  h: r = 1: k = 0, 2 … (2 of them); 7 positions$' "$up" --input 16,7,7
has '^  w: r = 0: k = 1; 7 positions$' "$up" --input 16,7,7
has '^  w: r = 0 … 1: k = 0, then one more for each r; 5 positions$' 'convtranspose{1, 2, stride=3}' --input 5
has '^  w: r = 2: none, the bias alone; 4 positions$' 'convtranspose{1, 2, stride=3}' --input 5
has '^8 10 17 13$' 'conv{1, 3, bias=false, flip=true}' --input 6 --values 'x=1,0,2,2,3,1' w=3,2,2
refuses "--pixel, --values, --matrix and --json are for conv, maxpool and avgpool" "$up" --input 16,7,7 --matrix

echo "$passed passed, $failed failed"
[ $failed = 0 ]
