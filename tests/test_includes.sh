#!/bin/bash
# The direction of includes: every arrow points at ir/. $1: the source folder.
set -u
cd "$1" || exit 1
bad=0
report() { echo "FAIL: $1"; bad=$((bad + 1)); }
# folder: the folders whose headers its files may include
check() {
    local folder=$1 allowed=$2
    while IFS=: read -r file line; do
        local header=${line#*\"}
        header=${header%%\"*}
        case "$header" in */*) ;; *) report "$file includes \"$header\" without its folder"; continue ;; esac
        local top=${header%%/*}
        case " $allowed " in *" $top "*) ;; *) report "$file includes $header: $folder may include only $allowed" ;; esac
    done < <(grep -RHE '^ *# *include *"' "$folder" --include='*.c' --include='*.h' --include='*.def')
}
check ir "ir"
check codegen "codegen ir"
check runtime "runtime ir"
check frontend "frontend codegen runtime ir"
# LLVM's headers are codegen's alone
while read -r file; do report "$file includes an LLVM header"; done < <(grep -RlE '#include *<llvm' ir runtime frontend tests specs)
# graph, loops and plan do not know of each other
for pair in "ir/graph.h ir/loop.h" "ir/graph.h ir/plan.h" "ir/loop.h ir/graph.h" "ir/loop.h ir/plan.h" "ir/plan.h ir/graph.h" "ir/plan.h ir/loop.h"; do
    set -- $pair
    grep -q "#include \"$2\"" "$1" && report "$1 includes $2"
done
# readers and the Lua front end know nothing of each other or of the compiler's back
for folder in frontend/data frontend/lua frontend/onnx; do
    grep -REl "#include \"(codegen|runtime|frontend/(cli|model|lunette))" $folder --include='*.[ch]' | while read -r file; do echo "FAIL: $file reaches out of $folder"; done
    [ -z "$(grep -REl "#include \"(codegen|runtime|frontend/(cli|model|lunette))" $folder --include='*.[ch]')" ] || bad=$((bad + 1))
done
[ $bad = 0 ] && echo "1 passed, 0 failed" && exit 0
echo "0 passed, $bad failed"
exit 1
