#!/usr/bin/env bash
# The shape lists of benchdnn in full, random layers and laws. Usage: conformance_layers.sh BUILD
# RANDOM_LAYERS: how many (default 20000).
set -u
cd "$(dirname "$0")/.." || exit 1
lunette=$1/lunette
lists=../shared/data/benchdnn
failed=0

lists_of() { # conv, deconv or pool
    for file in "$lists/$1"/*; do
        printf '%-32s' "$1/${file##*/}"
        "$lunette" check --batch "$file" --kind "$1" "${@:2}" >"$out" 2>&1 || failed=1
        grep -v '^passed ' "$out"
    done
}

out=$(mktemp)
trap 'rm -f "$out"' EXIT
if [ -d "$lists" ]; then
    echo "== benchdnn's shape lists, each layer on integers against its definition"
    lists_of conv
    lists_of deconv
    lists_of pool
else
    echo "== benchdnn's shape lists: skipped, $lists is not there"
fi
echo "== random convolutions, transposed convolutions and pools"
"$lunette" check --random "${RANDOM_LAYERS:-20000}" --seed 1 || failed=1
echo "== laws"
for seed in 1 2 3 4 5; do "$lunette" check --laws --seed $seed >"$out" 2>&1 || failed=1; grep -E "FAILED|laws," "$out"; done
exit $failed
