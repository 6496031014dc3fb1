#!/bin/bash
# Lunette as a contender of this or another harness: contender.sh BASE THREADS SECONDS [BUILD]
# times BASE.onnx on BASE.in.f32 and prints "lunette VERSION<tab>net<tab>threads<tab>median_ms<tab>min_ms<tab>p90_ms<tab>runs<tab>maxerr",
# where maxerr is max |y - ref| / max |ref| against BASE.out.f32. BUILD: the folder that `make` built in.
set -u
[ $# -ge 3 ] || { echo "usage: contender.sh BASE THREADS SECONDS [BUILD]" >&2; exit 2; }
build=${4:-$(dirname "$0")/../../build}
[ -x "$build/bench_contender" ] || { echo "lunette: $build/bench_contender is not there: make" >&2; exit 5; }
exec "$build/bench_contender" "$1" "$2" "$3"
