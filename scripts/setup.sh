#!/usr/bin/env bash
# Makes a fresh clone ready: Debian packages, npm packages, a private Asterisk, the media addon, the recogniser.
# Idempotent; under a second when nothing is missing. Needs no npm package itself. Root or password-less sudo is used
# for Debian packages only; without either it prints the command and exits 69.
#
#   scripts/setup.sh             do what is missing
#   scripts/setup.sh --check     say what is missing and change nothing; exit 1 when something is
#
#   PARLEY_SETUP_SKIP="asterisk whisper"   parts to leave out: packages npm asterisk native whisper
#   PARLEY_PRIVATE_ASTERISK=1              a private Asterisk although the host has one of version 20 or later
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8
started=$(date +%s)
check=no
case "${1:-}" in
  '') ;;
  --check) check=yes ;;
  *) echo "usage: scripts/setup.sh [--check]" >&2; exit 64 ;;
esac

say() { printf 'setup: %s\n' "$*"; }
skipped() { [[ " ${PARLEY_SETUP_SKIP:-} " == *" $1 "* ]]; }
has() { command -v "$1" >/dev/null 2>&1; }

# ---- what is missing -------------------------------------------------------------------------------------------------

has_library() { PATH=$PATH:/usr/sbin:/sbin ldconfig -p 2>/dev/null | grep -q "[[:space:]]$1 "; }

# One Debian package for each thing that nobody provides yet, whoever installed it.
missing_packages() {
  has g++ || echo g++
  has make || echo make
  has python3 || echo python3
  has cmake || echo cmake
  has espeak-ng || echo espeak-ng
  has sipp || echo sip-tester
  # Text of PDFs for the knowledge, and a calendar server for the tests (the module alone: no service is started).
  has pdftotext || echo poppler-utils
  /usr/bin/python3 -c 'import radicale' 2>/dev/null || echo python3-radicale
  has_library libspeexdsp.so.1 || echo libspeexdsp1
  [ -s /etc/ssl/certs/ca-certificates.crt ] || echo ca-certificates
  if want_asterisk; then
    [ -r /usr/share/keyrings/debian-archive-keyring.gpg ] || echo debian-archive-keyring
  fi
}

host_asterisk_is_enough() {
  [ "${PARLEY_PRIVATE_ASTERISK:-0}" != 1 ] || return 1
  local program version
  program=$(PATH=$PATH:/usr/sbin:/usr/local/sbin command -v asterisk) || return 1
  version=$("$program" -V 2>/dev/null) || return 1
  version=${version#Asterisk }
  [ "${version%%.*}" -ge 20 ] 2>/dev/null
}
want_asterisk() { ! skipped asterisk && [ ! -f .runtime/asterisk/root/VERSION ] && ! host_asterisk_is_enough; }

node_problem() {
  has node || { echo "Node.js 20.19 or later is needed and there is none (Debian 12 has 18: see https://nodejs.org/en/download)"; return; }
  has npm || { echo "npm is needed and there is none"; return; }
  node -e 'const [a, b] = process.versions.node.split(".").map(Number);
    if (a < 20 || (a === 20 && b < 19)) console.log(`Node.js 20.19 or later is needed, this is ${process.versions.node}`)'
}

# By content, not by date: every package of the lock file must lie in node_modules in its version.
npm_is_current() {
  [ -f node_modules/.package-lock.json ] && node -e '
    const read = (file) => JSON.parse(require("node:fs").readFileSync(file, "utf8")).packages;
    const wanted = read("package-lock.json"), found = read("node_modules/.package-lock.json");
    const stale = Object.entries(wanted).filter(([path, { version, optional, link }]) =>
      path !== "" && !link && (found[path] ? found[path].version !== version : !optional));
    process.exit(stale.length === 0 ? 0 : 1)'
}

native_is_current() { [ -f scripts/build-native.sh ] && [ -n "$(find build/Release -maxdepth 1 -name '*.node' -print -quit 2>/dev/null)" ]; }
whisper_is_there() { [ -x .runtime/whisper/parley-whisper ]; }

# ---- --check ---------------------------------------------------------------------------------------------------------

if [ "$check" = yes ]; then
  lacks=$(
    node_problem
    packages=$(skipped packages || missing_packages | paste -sd' ')
    [ -z "$packages" ] || echo "Debian packages: $packages"
    if has node; then skipped npm || npm_is_current || echo "npm packages (npm ci)"; fi
    ! want_asterisk || echo "a private Asterisk"
    skipped native || native_is_current || echo "the media addon"
    skipped whisper || whisper_is_there || echo "the recogniser program"
  )
  [ -n "$lacks" ] || { say "nothing is missing"; exit 0; }
  while IFS= read -r line; do say "missing: $line"; done <<<"$lacks"
  exit 1
fi

# ---- doing it --------------------------------------------------------------------------------------------------------

problem=$(node_problem)
[ -z "$problem" ] || { say "$problem" >&2; exit 69; }
mkdir -p .runtime/setup
# Two set-ups of one checkout wait for each other.
if has flock; then
  exec 9>.runtime/setup/lock
  flock -n 9 || { say "another set-up is running here; waiting for it"; flock 9; }
fi

took=()
timed() { # NAME COMMAND...
  local name=$1 from
  shift
  from=$(date +%s)
  "$@"
  took+=("$name $(($(date +%s) - from)) s")
}

install_packages() {
  local packages=("$@") as_root=()
  if [ "$(id -u)" != 0 ]; then
    if has sudo && sudo -n true 2>/dev/null; then
      as_root=(sudo -n env DEBIAN_FRONTEND=noninteractive)
    else
      say "these Debian packages are missing, and installing them needs root. Run this, then again what you ran:" >&2
      echo "    sudo apt-get update && sudo apt-get install -y --no-install-recommends ${packages[*]}" >&2
      exit 69
    fi
  fi
  has apt-get || { say "missing programs, and this is no Debian or Ubuntu: install what they call ${packages[*]}" >&2; exit 69; }
  say "installing Debian packages: ${packages[*]}"
  local log=.runtime/setup/packages.log
  export DEBIAN_FRONTEND=noninteractive
  # The list of a fresh machine is empty or old, so it is read first.
  if ! { "${as_root[@]}" apt-get -q update && "${as_root[@]}" apt-get -q -y install --no-install-recommends "${packages[@]}"; } >"$log" 2>&1 9>&-; then
    tail -n 20 "$log" >&2
    say "apt-get failed; the whole output is in $log" >&2
    exit 69
  fi
}

install_npm() {
  say "installing npm packages (npm ci) ..."
  local log=.runtime/setup/npm.log quiet=(--no-audit --no-fund --loglevel=error)
  # onnxruntime-node would download a GPU library that nothing here uses.
  export ONNXRUNTIME_NODE_INSTALL=skip ONNXRUNTIME_NODE_INSTALL_CUDA=skip
  npm ci "${quiet[@]}" >"$log" 2>&1 9>&- && return 0
  # A lock file made where the registry lacks binaries for other platforms is "not in sync" for npm ci, although every
  # version in it is right. npm install takes the same versions and passes over what does not exist; --no-save keeps the file.
  if grep -q 'code EUSAGE' "$log"; then
    say "npm ci finds the lock file incomplete ($(grep -c 'Missing:' "$log") optional packages of other platforms); npm install takes the same versions"
    npm install --no-save "${quiet[@]}" >>"$log" 2>&1 9>&- && return 0
  fi
  tail -n 20 "$log" >&2
  say "installing npm packages failed; the whole output is in $log" >&2
  exit 1
}

asterisk_pid=
start_asterisk() {
  say "fetching a private Asterisk in the background (about 80 MB) ..."
  asterisk_from=$(date +%s)
  { bash scripts/asterisk/install.sh >.runtime/setup/asterisk.log 2>&1; date +%s >.runtime/setup/asterisk.end; } 9>&- &
  asterisk_pid=$!
}
end_asterisk() {
  [ -n "$asterisk_pid" ] || return 0
  wait "$asterisk_pid" || true
  if [ ! -f .runtime/asterisk/root/VERSION ]; then
    tail -n 20 .runtime/setup/asterisk.log >&2
    say "the private Asterisk could not be installed; the whole output is in .runtime/setup/asterisk.log" >&2
    exit 1
  fi
  local version
  version=$(sed -E 's/^([0-9]+:)?([0-9.]+).*/\2/' .runtime/asterisk/root/VERSION)
  took+=("Asterisk $version $(($(cat .runtime/setup/asterisk.end) - asterisk_from)) s (beside the rest)")
  asterisk_pid=
}
# An interrupted set-up leaves no download running.
trap '[ -z "$asterisk_pid" ] || kill "$asterisk_pid" 2>/dev/null || true' EXIT

if ! skipped packages; then
  mapfile -t packages < <(missing_packages)
  [ ${#packages[@]} -eq 0 ] || timed "Debian packages" install_packages "${packages[@]}"
fi
if want_asterisk; then start_asterisk; fi
if ! skipped npm && ! npm_is_current; then timed "npm packages" install_npm; fi
# Both keep their own account of what is up to date; they only count here when they took a moment.
if ! skipped native && [ -f scripts/build-native.sh ]; then timed "media addon" bash scripts/build-native.sh 9>&-; fi
if ! skipped whisper && [ -f scripts/build-whisper.sh ]; then timed "recogniser" bash scripts/build-whisper.sh 9>&-; fi
end_asterisk

worth=()
for entry in "${took[@]}"; do [[ $entry == *' 0 s' ]] || worth+=("$entry"); done
if [ ${#worth[@]} -gt 0 ]; then
  list=$(printf ', %s' "${worth[@]}")
  say "done in $(($(date +%s) - started)) s: ${list:2}"
fi
