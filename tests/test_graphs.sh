#!/bin/sh
# Networks with odd shapes and odd wiring, each compiled for every CPU level the host has and compared with
# the reference: tests/graphs/*. A .lua runs with batch 1 and 3. What is called refused_* must be refused.
#
#   test_graphs.sh LUNETTE SOURCE_DIR
lunette=$1
dir=$2/tests/graphs
failed=0

check() { # wanted exit status, then the arguments of check
    wanted=$1
    shift
    said=$("$lunette" check --seed 1 --no-cache "$@" 2>&1)
    status=$?
    case $said in *"does not run on this machine"*) return ;; esac
    [ $status = "$wanted" ] && return
    echo "check $*: exit $status, not $wanted"
    echo "$said" | tail -5
    failed=1
}

for cpu in x86-64-v2 x86-64-v3 x86-64-v4; do
    for f in "$dir"/*.graph; do
        case $f in
        */refused_*) check 3 --cpu $cpu "$f" ;;
        *) check 0 --cpu $cpu "$f" ;;
        esac
    done
    for f in "$dir"/*.lua; do
        for batch in 1 3; do check 0 --cpu $cpu --batch $batch "$f"; done
    done
done
# the model's schedule is legal
for cpu in x86-64-v2 x86-64-v3 x86-64-v4; do
    for f in up3 wide_halo residues sources; do
        "$lunette" dump "$dir/$f.lua" -d s --cpu $cpu | grep -E 'as lowered, for|was refused' && failed=1
    done
done
# Results in place: which, said the same by both; the same bits for any number of threads
net="$dir/inplace.lua"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
said=$("$lunette" show "$net" --cpu x86-64-v3 | grep -c 'relu_3 over relu_1, mix over mul_1, softmax_1 over mix.plain,$')
[ "$said" = 1 ] || { echo "show does not say which results are in place"; failed=1; }
said=$("$lunette" dump "$net" -d p --cpu x86-64-v3 | grep -c '"softmax_1" : .* over b')
[ "$said" = 1 ] || { echo "the plan does not say which results are in place"; failed=1; }
for t in 1 2 3; do
    mkdir "$work/$t"
    "$lunette" run "$net" --seed 1 --no-cache -t $t -o "$work/$t" 2>/dev/null || failed=1
    diff -r "$work/1" "$work/$t" || failed=1
done
for net in resnet18 resnet50 mobilenet_v2; do check 0 --cpu x86-64-v3 --set size=64 "$2/specs/$net.lua"; done
exit $failed
