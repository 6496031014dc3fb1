#!/bin/bash
# Convolutions alone in Lunette and oneDNN: `make bench-layers FILE=…`; README.md has the rest.
#   layers.sh BUILD --file FILE --threads "1 2" --seconds 0.2
# FILE: descriptors as benchdnn has them. Everything goes to BUILD/bench-layers.
set -u
here=$(cd "$(dirname "$0")" && pwd)
file= threads=1 seconds=0.2

usage() {
    sed -n '3s/^# *//p' "$0" >&2
    exit 2
}

[ $# -ge 1 ] || usage
build=$(cd "$1" && pwd) || exit 2
shift
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || usage
    case $1 in --file) file=$2 ;; --threads) threads=$2 ;; --seconds) seconds=$2 ;; *) usage ;; esac
    shift 2
done
[ -r "$file" ] || { echo "bench: cannot read the descriptors: '$file'" >&2; exit 2; }
out=$build/bench-layers
mkdir -p "$out"
export XDG_CACHE_HOME=$out/cache
. "$here/peers.sh"

find_python
setup_onednn
rm -f "$out"/lunette_*.json
: >"$out/raw.tsv"
describe_machine >"$out/machine.tsv"
lunette=1
"$build/lunette" bench --help | grep -q -e '--conv-batch' ||
    { say "Lunette is left out: this build has no bench --conv-batch"; lunette=0; }
for t in $threads; do
    [ "$lunette" = 0 ] || "$build/lunette" bench --conv-batch "$file" --json --seconds "$seconds" --threads "$t" >"$out/lunette_$t.json" ||
        { say "Lunette has no answer for $t thread(s)"; rm -f "$out/lunette_$t.json"; }
    [ "$onednn" = 0 ] || "$out/onednn" layers "$file" "$t" "$seconds" >>"$out/raw.tsv" || exit 1
    [ "$onednn" = 0 ] || "$out/onednn" layers "$file" "$t" "$seconds" --tune >>"$out/raw.tsv" || exit 1
done
"$python" "$here/summarise.py" layers "$out"
