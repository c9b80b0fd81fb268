#!/usr/bin/env bash
# The native unit tests, as TAP.
# usage: scripts/test-native.sh [--sanitized | --arm] [part of a test's name]
#   --sanitized   builds and runs them twice more: AddressSanitizer + UndefinedBehaviorSanitizer, then ThreadSanitizer
#   --arm         builds them for 64-bit ARM (NEON) with a cross compiler and runs them in qemu
set -euo pipefail
cd "$(dirname "$0")/.."

sanitized=0
arm=0
filter=
for argument in "$@"; do
  case $argument in
    --sanitized) sanitized=1 ;;
    --arm) arm=1 ;;
    *) filter=$argument ;;
  esac
done

scripts/check-native-core.sh >&2

# Static, so that qemu needs no libraries of the other machine; each file is compiled when it or a header is newer.
if [ $arm -eq 1 ]; then
  for program in aarch64-linux-gnu-g++ qemu-aarch64; do
    command -v $program >/dev/null && continue
    echo "native: no $program; install what is missing: apt-get install g++-aarch64-linux-gnu qemu-user" >&2
    exit 69
  done
  folder=build/arm
  mkdir -p $folder
  newest=$(find native/core native/test -name '*.h' -printf '%T@\n' | sort -rn | head -1)
  flags=(-std=c++20 -O3 -g1 -Wall -Wextra -Wconversion -fno-exceptions -fno-rtti -Inative/core -Inative/test)
  objects=()
  echo "native: building the tests for aarch64" >&2
  for source in native/core/*/*.cc native/test/*.cc; do
    object=$folder/$(echo "${source%.cc}" | tr / -).o
    objects+=("$object")
    if [ -f "$object" ] && [ "$object" -nt "$source" ] && [ "$(stat -c %Y "$object")" -gt "${newest%.*}" ]; then continue; fi
    aarch64-linux-gnu-g++ "${flags[@]}" -c "$source" -o "$object"
  done
  aarch64-linux-gnu-g++ -static "${objects[@]}" -o $folder/parley_core_test -lpthread -ldl 2>/dev/null
  neon=$(aarch64-linux-gnu-objdump -d $folder/native-core-dsp-filter_bank.o | grep -cE 'smlal|sdot' || true)
  if [ "$neon" -eq 0 ]; then
    echo "native: the compiler made no NEON of the filters" >&2
    exit 1
  fi
  echo "native: running them in qemu" >&2
  exec qemu-aarch64 $folder/parley_core_test "$filter"
fi

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
