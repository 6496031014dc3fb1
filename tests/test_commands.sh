#!/bin/bash
# Every command that the README shows behind "$ " runs and succeeds. $1: the lunette binary, $2: the source folder.
set -u
lunette=$1
cd "$2" || exit 1
passed=0 failed=0
while read -r line; do
    command=${line#\$ build/lunette}
    case "$command" in *fashion-mnist*) [ -d /usr/share/datasets/fashion-mnist ] || continue ;; esac
    if eval "\"$lunette\" $command" >/dev/null 2>"${TMPDIR:-/tmp}/commands.$$"; then passed=$((passed + 1)); else
        echo "FAIL: $line"; cat "${TMPDIR:-/tmp}/commands.$$"; failed=$((failed + 1)); fi
done < <(grep -h '^\$ build/lunette' README.md specs/README.md 2>/dev/null)
rm -f "${TMPDIR:-/tmp}/commands.$$"
[ $passed -ge 5 ] || { echo "FAIL: only $passed commands found"; failed=$((failed + 1)); }
echo "$passed passed, $failed failed"
[ $failed = 0 ]
