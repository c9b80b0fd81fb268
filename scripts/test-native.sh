#!/usr/bin/env bash
# The native unit tests, as TAP.
# usage: scripts/test-native.sh [--sanitized] [part of a test's name]
#   --sanitized   builds and runs them twice more: AddressSanitizer + UndefinedBehaviorSanitizer, then ThreadSanitizer
set -euo pipefail
cd "$(dirname "$0")/.."

sanitized=0
filter=
for argument in "$@"; do
  if [ "$argument" = --sanitized ]; then sanitized=1; else filter=$argument; fi
done

scripts/check-native-core.sh >&2

if [ $sanitized -eq 0 ]; then
  scripts/build-native.sh parley_core_test >&2
  exec build/Release/parley_core_test "$filter"
fi

# A build folder of its own per sanitizer: links to the sources, and node-gyp's output beside them.
sanitize() {
  local name=$1 kinds=$2 folder=build/sanitize-$1
  mkdir -p "$folder"
  ln -sfn ../../native "$folder/native"
  ln -sfn ../../node_modules "$folder/node_modules"
  ln -sfn ../../binding.gyp "$folder/binding.gyp"
  ln -sfn ../../package.json "$folder/package.json"
  local nodedir=() prefix
  prefix=$(node -p 'require("node:path").resolve(process.execPath, "../..")')
  [ -d "$prefix/include/node" ] && nodedir=(--nodedir="$prefix")
  echo "native: building the tests with -fsanitize=$kinds" >&2
  (
    cd "$folder"
    node node_modules/node-gyp/bin/node-gyp.js configure "${nodedir[@]}" -- "-Dsanitize=$kinds"
    make -C build BUILDTYPE=Release -j"${PARLEY_BUILD_JOBS:-$(nproc)}" parley_core_test
  ) >"$folder/build.log" 2>&1 || { tail -n 40 "$folder/build.log" >&2; exit 1; }
  echo "native: running them" >&2
  "$folder/build/Release/parley_core_test" "$filter"
}
export UBSAN_OPTIONS=print_stacktrace=1 ASAN_OPTIONS=detect_stack_use_after_return=1 TSAN_OPTIONS=halt_on_error=1
sanitize address address,undefined
sanitize thread thread
