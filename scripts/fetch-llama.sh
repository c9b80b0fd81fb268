#!/usr/bin/env bash
# Puts llama-server, the package of Debian unstable, under .runtime/llama/root, and a tiny random model beside it: a server nobody here wrote,
# for test/integration/llm.test.ts. Optional: without it that test says so and does nothing. The host is not touched: no root, no
# chroot, no maintainer script; apt keeps a state of its own, and every package is checked against Debian's keyring.
#
#   scripts/fetch-llama.sh       PARLEY_DEBIAN_MIRROR   default: the mirror of the host's apt sources
set -euo pipefail
cd "$(dirname "$0")/.."
home=$PWD/.runtime/llama
target=$home/root
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
fail() { echo "llama: $*" >&2; exit 1; }

host_mirror() {
  {
    sed -n 's/^URIs:[[:space:]]*\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/*.sources
    sed -n 's/^deb[[:space:]]\+\(\[[^]]*\][[:space:]]*\)\{0,1\}\([^ ]*\)[[:space:]].*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/*.list
  } 2>/dev/null | grep -m1 -E '/debian/?$' || true
}

fetch() {
  [ -r "$keyring" ] || fail "$keyring is missing: apt-get install debian-archive-keyring"
  local mirror new apt deb name version
  mirror=${PARLEY_DEBIAN_MIRROR:-$(host_mirror)}
  mirror=${mirror:-http://deb.debian.org/debian}
  new=$target.new
  rm -rf "$new"
  apt=$new/.apt
  mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/none"
  : >"$apt/status"
  echo "deb [signed-by=$keyring] $mirror sid main" >"$apt/sources.list"
  # Check-Valid-Until: a mirror may carry an unstable release file past its date; the signature is checked all the same.
  cat >"$apt/apt.conf" <<CONF
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "$apt/none";
Dir::Etc::preferences "$apt/none/preferences";
Dir::Etc::preferencesparts "$apt/none";
Dir::State "$apt";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt";
Dir::Cache::archives "$apt/archives";
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
Acquire::Retries "3";
CONF
  export APT_CONFIG=$apt/apt.conf
  echo "llama: reading the package list of Debian sid ..."
  apt-get -qq update || fail "apt-get update for $mirror sid failed"
  echo "llama: downloading ..."
  apt-get -qq -y --download-only install llama.cpp llama.cpp-tools || fail "the download failed"
  echo "llama: unpacking ..."
  for deb in "$apt"/archives/*.deb; do
    name=${deb##*/}
    name=${name%%_*}
    # Tools of maintainer scripts, which do not run here.
    grep -Eqx 'perl.*|libperl.*|gnupg.*|gpg.*|passwd|base-passwd|adduser|debconf|libpam.*|tzdata|python3.*|libpython3.*' <<<"$name" || dpkg-deb -x "$deb" "$new"
  done
  version=$(basename "$apt"/archives/llama.cpp_*.deb)
  version=${version#llama.cpp_}
  rm -rf "$apt" "$new"/usr/share/{doc,man,locale,lintian,bug}
  [ -x "$new/usr/bin/llama-server" ] || fail "what was unpacked has no llama-server"
  printf '%s\n' "${version%%_*}" >"$new/VERSION"
  # In one step: whoever looks finds a whole server or none.
  rm -rf "$target"
  mv "$new" "$target"
}

[ -f "$target/VERSION" ] || fetch
[ "$home/tiny-random.gguf" -nt scripts/tiny-gguf.ts ] || node --import tsx scripts/tiny-gguf.ts "$home/tiny-random.gguf"
echo "llama: llama-server $(cat "$target/VERSION") in .runtime/llama"
