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
    "$lunette" dump "$dir/up3.lua" -d s --cpu $cpu | grep 'as lowered, for' && failed=1
done
exit $failed
