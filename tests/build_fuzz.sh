#!/bin/bash
# Builds the fuzz targets in folder $1, with Clang, whose libFuzzer they use.
set -u
cd "$(dirname "$0")/.." || exit 1
echo "== building the fuzz targets in $1/"
{ cmake -S . -B "$1" -G Ninja -DCMAKE_C_COMPILER=clang-19 -DLUNETTE_SANITIZE=fuzzer-no-link,address,undefined &&
    ninja -C "$1" --quiet fuzz; } >"$1.log" 2>&1 || { cat "$1.log"; rm -f "$1.log"; exit 1; }
rm -f "$1.log"
