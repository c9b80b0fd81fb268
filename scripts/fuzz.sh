#!/usr/bin/env bash
# Fuzzes one target with libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer (needs clang).
# usage: scripts/fuzz.sh TARGET SECONDS      targets: the files of native/fuzz; "all" runs each for SECONDS
#        scripts/fuzz.sh all 0               only replays what is known, committed corpus first
# New inputs go to build/fuzz/; the committed corpus is native/fuzz/corpus/TARGET. An input that breaks something is left in
# build/fuzz/crashes/: fix the bug and commit the input to the corpus.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t known < <(cd native/fuzz && ls ./*.cc | sed 's|^\./||; s|\.cc$||')
target=${1:-}
seconds=${2:-60}
if [ -z "$target" ]; then
  echo "usage: scripts/fuzz.sh TARGET SECONDS; targets: all ${known[*]}" >&2
  exit 64
fi
clang=
for candidate in clang++ clang++-19 clang++-18 clang++-17 clang++-16 clang++-15 clang++-14; do
  if command -v "$candidate" >/dev/null; then clang=$candidate; break; fi
done
if [ -z "$clang" ]; then
  echo "fuzz: no clang; install it with: apt-get install clang" >&2
  exit 69
fi

build() {
  mkdir -p build/fuzz/objects
  local flags=(-std=c++20 -O1 -g -fno-exceptions -fno-rtti -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -Inative/core -Inative/fuzz)
  local source object newest
  newest=$(find native/core native/fuzz -name '*.h' -printf '%T@\n' | sort -rn | head -1)
  compile() {
    object=build/fuzz/objects/$(echo "${1%.cc}" | tr / -).o
    if [ -f "$object" ] && [ "$object" -nt "$1" ] && [ "$(stat -c %Y "$object")" -gt "${newest%.*}" ]; then return; fi
    "$clang" "${flags[@]}" -c "$1" -o "$object"
  }
  for source in native/core/*/*.cc "native/fuzz/$1.cc"; do compile "$source"; done
  "$clang" -fsanitize=fuzzer,address,undefined build/fuzz/objects/native-core-*.o "build/fuzz/objects/native-fuzz-$1.o" -ldl -o "build/fuzz/$1"
}

fuzz() {
  [ -f "native/fuzz/$1.cc" ] || { echo "fuzz: no target '$1'; there are: ${known[*]}" >&2; exit 64; }
  echo "fuzz: building $1" >&2
  build "$1"
  mkdir -p "build/fuzz/corpus/$1" build/fuzz/crashes "native/fuzz/corpus/$1"
  echo "fuzz: $1 for $seconds s" >&2
  local limit=(-max_total_time="$seconds")
  [ "$seconds" = 0 ] && limit=(-runs=0)
  "build/fuzz/$1" "${limit[@]}" -max_len=2048 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/crashes/$1-" "build/fuzz/corpus/$1" "native/fuzz/corpus/$1" 2>&1 |
    grep -Ev '^#[0-9]+\s+(NEW|REDUCE|RELOAD)' | tail -n 60
}

if [ "$target" = all ]; then
  for one in "${known[@]}"; do fuzz "$one"; done
else
  fuzz "$target"
fi
