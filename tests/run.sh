#!/bin/bash
# All tests: the release build, the same under the address and undefined-behaviour sanitizers, the thread pool under the
# thread sanitizer, and every fuzz target for ten seconds. $1: the release build's folder.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$1
failed=0

run() { # name, build folder, ctest arguments
    echo "== tests: $1"
    ctest --test-dir "$2" -j "$(nproc)" --output-on-failure --no-tests=error "${@:3}" || failed=1
}

sanitized() { # name, folder, sanitizers, targets
    echo "== building with -fsanitize=$3 in $2/"
    cmake -S . -B "$2" -G Ninja -DLUNETTE_SANITIZE="$3" >"$2.log" 2>&1 && ninja -C "$2" --quiet ${4:-} >>"$2.log" 2>&1 ||
        { cat "$2.log"; rm -f "$2.log"; failed=1; return 1; }
    rm -f "$2.log"
}

run "release" "$build"
# allocator_may_return_null: the tests ask for absurd sizes and want an error
# The leak checker sometimes died looking at thread-local storage once libLLVM is loaded later than the program.
export ASAN_OPTIONS=allocator_may_return_null=1:detect_stack_use_after_return=0:intercept_tls_get_addr=0
sanitized asan "$build-asan" address,undefined && run "address and undefined sanitizers" "$build-asan" -LE slow
sanitized tsan "$build-tsan" thread test_pool && run "thread sanitizer" "$build-tsan" -R '^test_pool$'
if command -v clang-19 >/dev/null; then
    tests/build_fuzz.sh "$build-fuzz" && tests/fuzz.sh "$build-fuzz" 10 || failed=1
else
    echo "== fuzz targets: skipped, clang-19 is not there"
fi
[ $failed = 0 ] && echo "== all tests passed" || echo "== some tests FAILED"
exit $failed
