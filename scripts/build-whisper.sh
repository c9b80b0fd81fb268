#!/usr/bin/env bash
# Builds the recogniser program .runtime/whisper/parley-whisper from native/whisper and the whisper.cpp source that the
# nodejs-whisper package carries. Does nothing, in a few milliseconds, when nothing has changed.
#
#   scripts/build-whisper.sh            CPU, with every instruction that this machine's CPU has
#   PARLEY_WHISPER_CUDA=1 …             NVIDIA GPU; needs the CUDA toolkit (nvcc, cuBLAS). Without a GPU in the building
#                                       machine also PARLEY_WHISPER_CUDA_ARCH, e.g. 89 for an RTX 4090 or L4
#   PARLEY_WHISPER_SOURCE=DIR …         another whisper.cpp, 1.9 or later
#
# Needs cmake and a C++20 compiler (Debian: cmake g++ make).
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
source_dir=${PARLEY_WHISPER_SOURCE:-$root/node_modules/nodejs-whisper/cpp/whisper.cpp}
out=$root/.runtime/whisper
build=$out/build
cuda=OFF
cuda_options=()

fail() { echo "build-whisper: $*" >&2; exit 1; }

[ -f "$source_dir/include/whisper.h" ] || fail "no whisper.cpp in ${source_dir#"$root"/}: run npm ci first, or name one with PARLEY_WHISPER_SOURCE"
if [ "${PARLEY_WHISPER_CUDA:-0}" = 1 ]; then
  cuda=ON
  [ -z "${PARLEY_WHISPER_CUDA_ARCH:-}" ] || cuda_options+=("-DCMAKE_CUDA_ARCHITECTURES=$PARLEY_WHISPER_CUDA_ARCH")
  command -v nvcc >/dev/null || fail "PARLEY_WHISPER_CUDA=1 needs the CUDA toolkit: nvcc is not in PATH (Debian: apt-get install nvidia-cuda-toolkit, or add /usr/local/cuda/bin to PATH)"
fi

# What the program depends on: our sources, the version of whisper.cpp, the CPU it is tuned for, and the options.
stamp=$({
  sha256sum native/whisper/*.cc native/whisper/*.h native/whisper/CMakeLists.txt native/core/audio/audio_memory.h
  sha256sum "$source_dir/CMakeLists.txt" "$source_dir/include/whisper.h"
  grep -m1 -E '^(flags|Features)' /proc/cpuinfo || true
  echo "cuda=$cuda ${cuda_options[*]:-} source=$source_dir"
} | sha256sum | cut -d' ' -f1)
if [ -x "$out/parley-whisper" ] && [ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ]; then
  exit 0
fi

for tool in cmake c++ make; do
  command -v "$tool" >/dev/null || fail "$tool is missing (Debian: apt-get install cmake g++ make)"
done
grep -Eq 'VERSION (1\.(9|[1-9][0-9])|[2-9])' "$source_dir/CMakeLists.txt" || fail "whisper.cpp in $source_dir is older than 1.9"

started=$(date +%s)
echo "building the recogniser (whisper.cpp, $(nproc) cores) ..."
mkdir -p "$out"
rm -f "$out/stamp"
log=$out/build.log
cmake -S native/whisper -B "$build" -G 'Unix Makefiles' -DWHISPER_SOURCE="$source_dir" -DPARLEY_WHISPER_CUDA=$cuda ${cuda_options[@]+"${cuda_options[@]}"} -DCMAKE_BUILD_TYPE=Release >"$log" 2>&1 ||
  { tail -20 "$log" >&2; fail "configuring failed; see ${log#"$root"/}"; }
# The percent lines are the progress; warnings of whisper.cpp's own sources stay in the log.
cmake --build "$build" --target parley-whisper -j "$(nproc)" 2>>"$log" | tee -a "$log" | grep --line-buffered -E '^\[ *[0-9]+%\]' ||
  { grep -E 'error|Error' "$log" | head -20 >&2; fail "compiling failed; see ${log#"$root"/}"; }
[ -x "$build/parley-whisper" ] || { grep -E 'error|Error' "$log" | head -20 >&2; fail "compiling failed; see ${log#"$root"/}"; }
# In one step: a running worker keeps its old file, a new one gets a whole file.
cp "$build/parley-whisper" "$out/parley-whisper.new"
mv "$out/parley-whisper.new" "$out/parley-whisper"
echo "$stamp" >"$out/stamp"
echo "recogniser built in $(($(date +%s) - started)) s: .runtime/whisper/parley-whisper"
