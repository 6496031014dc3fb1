# Sourced by run.sh and layers.sh: gets the peers ready in $out, or says why one is left out.
# Wants: $here (this folder), $build, $out. Sets ort and onednn to 1 where that peer can run, python to a Python 3.

say() { echo "bench: $*" >&2; }

# The system's own Python has Debian's python3-onnx.
find_python() {
    python=python3
    python3 -c 'import onnx' 2>/dev/null || python=/usr/bin/python3
}

setup_ort() {
    ort=0
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
        say "ONNX Runtime is left out: node and npm are not there"
        return
    fi
    if [ ! -d "$out/node_modules/onnxruntime-node" ]; then
        say "installing onnxruntime-node into $out"
        [ -f "$out/package.json" ] || echo '{"private": true}' >"$out/package.json"
        (cd "$out" && npm install --ignore-scripts --no-audit --no-fund onnxruntime-node) >"$out/npm.log" 2>&1 ||
            { say "ONNX Runtime is left out: npm cannot install onnxruntime-node; see $out/npm.log"; return; }
    fi
    ort=1
}

setup_onednn() {
    onednn=0
    if [ ! -f /usr/include/dnnl.hpp ]; then
        say "oneDNN is left out: libdnnl-dev is not there"
        return
    fi
    local newer
    newer=$(find "$here" \( -name 'onednn*' -o -name 'timing.*' \) -newer "$out/onednn" 2>/dev/null)
    if [ ! -x "$out/onednn" ] || [ -n "$newer" ]; then
        { gcc -O2 -c "$here/timing.c" -o "$out/timing.o" &&
            g++ -O2 -std=c++17 -Wall -Wextra -fopenmp "$here"/onednn*.cpp "$out/timing.o" -ldnnl -ljansson -o "$out/onednn"; } >"$out/onednn.log" 2>&1 ||
            { say "oneDNN is left out: $here/onednn.cpp cannot be built; see $out/onednn.log"; return; }
    fi
    onednn=1
}

# What the numbers were measured with.
describe_machine() {
    local cpu
    cpu=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)
    printf 'cpu\t%s, %s cores\n' "$cpu" "$(nproc)"
    printf 'system\t%s %s\n' "$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release)" "$(uname -r)"
    printf 'compiler\t%s\n' "$(gcc --version | head -n 1)"
    printf 'lunette\t%s\n' "$("$build/lunette" --version)"
    awk '{ print "load\t" $1 " at the beginning" ($1 > 1 ? ": other programs ran, times mean little" : "") }' /proc/loadavg
}
