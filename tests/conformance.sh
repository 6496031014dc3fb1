#!/bin/bash
# The test suites of others, and what is too long for `make test`.
#   conformance.sh BUILD                  all of it: `make conformance`
#   conformance.sh BUILD --onnx           ONNX's own cases
#   conformance.sh BUILD --filter PART    those of them whose name has PART in it
set -u -o pipefail
cd "$(dirname "$0")/.." || exit 1
build=$(realpath "$1")
part=${2:---all}
onnx=/usr/share/libonnx-testdata/data
failed=""

onnx_cases() { "$build/conformance" "$@" tests/conformance/onnx.txt tests/conformance/exceptions.txt "$onnx"; }

case $part in
--onnx) onnx_cases; exit ;;
--filter) onnx_cases --filter "$3"; exit ;;
esac

suite() { # name, command: says how long it took
    local start=$SECONDS
    echo "== $1"
    "${@:2}" || failed="$failed, $1"
    echo "   ($((SECONDS - start)) s)"
}

every_float() {
    local test
    for test in test_mathfn test_pow; do LUNETTE_TEST_ALL_FLOATS=1 "$build/$test" || return; done
}

# This takes one core for most of the time; its lines come at the end.
floats=$(mktemp)
trap 'rm -f "$floats"' EXIT
every_float >"$floats" 2>&1 &
floats_pid=$!

join_floats() {
    wait $floats_pid
    local code=$?
    cat "$floats"
    return $code
}

suite "ONNX's cases" onnx_cases
suite "models of others" "$build/test_models"
suite "layers" tests/conformance_layers.sh "$build"
suite "functions on every float32" join_floats
if [ -z "$failed" ]; then echo "== all suites passed"; else echo "== FAILED: ${failed#, }"; fi
[ -z "$failed" ]
