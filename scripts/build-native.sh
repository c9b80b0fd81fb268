#!/usr/bin/env bash
# Builds the native media addon (build/Release/parley_media.node), only when something changed.
# usage: scripts/build-native.sh [--force] [target ...]     default target: parley_media
set -euo pipefail
cd "$(dirname "$0")/.."

force=0
targets=()
for argument in "$@"; do
  if [ "$argument" = --force ]; then force=1; else targets+=("$argument"); fi
done
[ ${#targets[@]} -gt 0 ] || targets=(parley_media)

# What the result depends on: sources, how they are built, compiler and Node ABI.
fingerprint() {
  {
    find native/core native/binding native/test native/bench -type f \( -name '*.cc' -o -name '*.h' \) -print0 2>/dev/null | sort -z | xargs -0 sha256sum
    sha256sum binding.gyp scripts/build-native.sh
    node -p 'process.versions.modules + process.version + process.arch'
    "${CXX:-g++}" -dumpfullversion
  } | sha256sum | cut -d' ' -f1
}

# One build at a time; a second one waits and then finds nothing to do.
mkdir -p build
exec 9>build/.native-lock
flock 9

stamp="build/.native-${targets[*]// /-}"
now=$(fingerprint)
if [ $force -eq 0 ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$now" ]; then
  exit 0
fi

nodedir=()
prefix=$(node -p 'require("node:path").resolve(process.execPath, "../..")')
# Without headers at hand node-gyp would try to download them.
[ -d "$prefix/include/node" ] && nodedir=(--nodedir="$prefix")

jobs=${PARLEY_BUILD_JOBS:-$(nproc)}
log=build/native.log
started=$SECONDS
echo "native: compiling ${targets[*]} ($jobs jobs; log: $log)"
gyp=node_modules/node-gyp/bin/node-gyp.js
configured="build/.native-configured"
# The generated Makefile holds paths: a copied or moved checkout is configured anew.
wanted="$(sha256sum <binding.gyp)$PWD"
run() {
  if ! "$@" >>"$log" 2>&1; then
    tail -n 40 "$log" >&2
    echo "native: the build failed; the whole log is $log" >&2
    exit 1
  fi
}
: >"$log"
if [ $force -eq 1 ] || [ ! -f build/Makefile ] || [ "$(cat "$configured" 2>/dev/null)" != "$wanted" ]; then
  run node "$gyp" configure "${nodedir[@]}"
  echo "$wanted" >"$configured"
fi
# One line per compiled file, so that a slow machine shows progress.
if ! make -C build BUILDTYPE=Release -j"$jobs" "${targets[@]}" 2>&1 | tee -a "$log" | sed -un 's|^ *CXX(target).*/native/\(.*\)\.o$|native:   \1|p'; then
  tail -n 40 "$log" >&2
  echo "native: the build failed; the whole log is $log" >&2
  exit 1
fi
if grep -q 'warning:' "$log"; then grep -A3 'warning:' "$log" | head -n 40 >&2; fi
echo "$now" >"$stamp"
echo "native: built in $((SECONDS - started)) s"
