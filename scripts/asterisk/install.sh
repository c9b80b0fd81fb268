#!/usr/bin/env bash
# Puts a private Asterisk, the package of Debian unstable, under .runtime/asterisk/root. The host is not touched: no root,
# no chroot, no maintainer script; apt keeps a state of its own, and every package is checked against Debian's keyring.
# Does nothing when it is there.
#
#   scripts/asterisk/install.sh            PARLEY_DEBIAN_MIRROR   default: the mirror of the host's apt sources
#                                          PARLEY_ASTERISK_SUITE  default: sid
#
# Needs apt-get, dpkg-deb and /usr/share/keyrings/debian-archive-keyring.gpg (Debian and Ubuntu: debian-archive-keyring).
set -euo pipefail
cd "$(dirname "$0")/../.."
target=$PWD/.runtime/asterisk/root
suite=${PARLEY_ASTERISK_SUITE:-sid}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

[ ! -f "$target/VERSION" ] || exit 0
fail() { echo "asterisk: $*" >&2; exit 1; }
[ -r "$keyring" ] || fail "$keyring is missing: apt-get install debian-archive-keyring"

# The mirror that this Debian uses already, from deb822 or one-line sources; a Debian of somebody else's on Ubuntu.
host_mirror() {
  {
    sed -n 's/^URIs:[[:space:]]*\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/*.sources
    sed -n 's/^deb[[:space:]]\+\(\[[^]]*\][[:space:]]*\)\{0,1\}\([^ ]*\)[[:space:]].*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/*.list
  } 2>/dev/null | grep -m1 -E '/debian/?$' || true
}
mirror=${PARLEY_DEBIAN_MIRROR:-$(host_mirror)}
mirror=${mirror:-http://deb.debian.org/debian}

new=$target.new
rm -rf "$new"
mkdir -p "$new"
apt=$new/.apt
mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/none"
: >"$apt/status"
echo "deb [signed-by=$keyring] $mirror $suite main" >"$apt/sources.list"
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

echo "asterisk: reading the package list of Debian $suite ..."
apt-get -qq update || fail "apt-get update for $mirror $suite failed"
echo "asterisk: downloading (about 80 MB) ..."
apt-get -qq -y --download-only install asterisk || fail "the download failed"

# Asterisk never loads what is left out here; the maintainer scripts that would need it do not run.
unused='^(perl.*|libperl.*|gnupg.*|gpg.*|dirmngr|pinentry-.*|passwd|base-passwd|adduser|debconf|libdebconfclient0|login\.defs|libpam.*|libsemanage.*|libsepol.*|tzdata|readline-common|libc-gconv-modules-extra|pci\.ids|libasound2-data|libsnmp-base|libsensors.*|asterisk-config)$'
echo "asterisk: unpacking ..."
for deb in "$apt"/archives/*.deb; do
  name=${deb##*/}
  name=${name%%_*}
  grep -Eqx "${unused:1:-1}" <<<"$name" || dpkg-deb -x "$deb" "$new"
done
version=$(basename "$apt"/archives/asterisk_*.deb)
version=${version#asterisk_}
# A maintainer script would have made this link; without it the voice prompts are not found.
sounds=$new/usr/share/asterisk/sounds
if [ ! -e "$sounds/en" ]; then
  voice=$(find "$sounds" -maxdepth 1 -type d -name 'en_*' -printf '%f\n' | sort | head -n 1)
  [ -z "$voice" ] || ln -s "$voice" "$sounds/en"
fi
rm -rf "$apt" "$new"/usr/share/{doc,man,locale,lintian,bug} "$new"/etc
loader=$(find "$new/usr/lib64" "$new/usr/lib" -maxdepth 2 -name 'ld-linux-*.so.*' 2>/dev/null | head -n 1)
[ -n "$loader" ] && [ -x "$new/usr/sbin/asterisk" ] || fail "what was unpacked has no asterisk or no dynamic loader"
"$loader" --argv0 asterisk --library-path "$(dirname "$(find "$new/usr/lib" -type d -path '*/asterisk/modules')")/.." "$new/usr/sbin/asterisk" -V
printf '%s\n' "${version%%_*}" | sed 's/%3a/:/' >"$new/VERSION"
# In one step: whoever looks finds a whole Asterisk or none.
rm -rf "$target"
mv "$new" "$target"
