#!/usr/bin/env bash
# Builds the packages (config/package/build.sh) and does with them what a system administrator does: installs the Debian package in a
# clean chroot of this machine's release, upgrades, breaks and mends the configuration, removes, purges; installs the RPM with a
# database of its own; runs the static binary where there is nothing else. Wants root and Debian; installs what is missing.
#
#   tests/package.sh [built]     with "built", what is in target/package is taken as it is
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(mmdebstrap musl-tools dpkg-dev lintian mandoc man-db rpm bash zsh fish)
dpkg-query --show "${packages[@]}" >/dev/null 2>&1 || {
  apt-get update -qq || true
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
}

[ "${1:-}" = built ] || config/package/build.sh
out=$PWD/target/package
deb=$(ls "$out"/*.deb)
rpm=$(ls "$out"/*.rpm)
archive=$(ls "$out"/*.tar.gz)
version=$(dpkg-deb --field "$deb" Version)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 143' TERM INT
root=$work/root
done=0

step() { printf '\n== %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
# check WHAT COMMAND...: the command succeeds.
check() { local what=$1; shift; "$@" || fail "$what"; done=$((done + 1)); }
# says TEXT COMMAND...: the command's output has the text.
says() {
  local text=$1 said; shift
  said=$("$@" 2>&1) || true
  grep -qF -- "$text" <<<"$said" || fail "$* does not say '$text' but: $said"
  done=$((done + 1))
}
# inside COMMAND...: in the chroot, with nothing of this shell's environment.
inside() {
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"
}
# owned PATH EXPECTED: mode, owner and group.
owned() {
  local found
  found=$(inside stat --format '%a %U:%G' "$1") || fail "$1 is not there"
  [ "$found" = "$2" ] || fail "$1 is $found, not $2"
  done=$((done + 1))
}
install() { cp "$1" "$root/tmp/dunlin.deb" && inside apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends /tmp/dunlin.deb; }

# The same files under another version.
other() {
  local tree=$work/other
  rm -rf "$tree"
  dpkg-deb --raw-extract "$deb" "$tree"
  sed -i "s/^Version: .*/Version: $1/" "$tree/DEBIAN/control"
  # As if its sample had changed, which it does in every version.
  echo "## Of version $1." >>"$tree/usr/share/dunlin/dunlin.toml"
  (cd "$tree" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | xargs -0 md5sum >DEBIAN/md5sums)
  dpkg-deb --root-owner-group --build "$tree" "$work/$1.deb" >/dev/null
  echo "$work/$1.deb"
}

step "lintian"
lintian --fail-on error,warning "$deb"

step "manual pages and completions"
dpkg-deb --extract "$deb" "$work/tree"
for page in man1/dunlin.1 man5/dunlin.toml.5; do
  gunzip -kf "$work/tree/usr/share/man/$page.gz"
  page=$work/tree/usr/share/man/$page
  warnings=$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 "$page" 2>&1 >/dev/null)
  [ -z "$warnings" ] || fail "man --warnings $page: $warnings"
  # Its date is left out, so that the same source gives the same page.
  warnings=$(mandoc -T lint -W warning "$page" | grep -v 'missing date' || true)
  [ -z "$warnings" ] || fail "mandoc -T lint $page: $warnings"
done
bash -n "$work/tree/usr/share/bash-completion/completions/dunlin"
zsh -n "$work/tree/usr/share/zsh/vendor-completions/_dunlin"
fish --no-execute "$work/tree/usr/share/fish/vendor_completions.d/dunlin.fish"

step "a clean Debian"
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
mmdebstrap --quiet --variant=minbase --include=systemd,man-db,procps "$release" "$root"
# There is no systemd running, and pages are wanted.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"
cp /etc/resolv.conf "$root/etc/" 2>/dev/null || true
mount -t proc proc "$root/proc"
trap 'umount "$root/proc"; rm -rf "$work"' EXIT

step "install"
old=$(other 0.0.1-1)
install "$old"
owned /usr/bin/dunlin "755 root:root"
owned /usr/lib/systemd/system/dunlin.service "644 root:root"
owned /usr/lib/sysusers.d/dunlin.conf "644 root:root"
owned /etc/dunlin "750 root:dunlin"
owned /etc/dunlin/dunlin.d "750 root:dunlin"
owned /etc/dunlin/dunlin.toml "600 dunlin:dunlin"
for file in copyright README.md METRICS.md changelog.gz changelog.Debian.gz third-party-licences.gz; do
  owned "/usr/share/doc/dunlin/$file" "644 root:root"
done
check "the user is a system user without a shell" inside sh -c 'getent passwd dunlin | grep -q nologin'
check "not enabled" inside sh -c '! systemctl --quiet is-enabled dunlin.service'
check "the unit is sound" inside systemd-analyze verify /usr/lib/systemd/system/dunlin.service
says "dunlin run" inside man dunlin
says "[[sinks.influxdb]]" inside man dunlin.toml
says "sinks: is missing; expected at least one" inside dunlin check
says "the configuration has a mistake:" inside dunlin check
check "the first command works" inside sh -c 'dunlin sample --format influx | grep -q ^mem,'

step "as the README says: edit, check, enable"
cat >>"$root/etc/dunlin/dunlin.toml" <<'END'
[[sinks.influxdb]]
name = "central"
urls = ["http://127.0.0.1:1"]
api = "v1"
database = "ours"
END
says "is good: delivers to central" inside runuser -u dunlin -- dunlin check
check "others cannot read it" inside sh -c '! runuser -u nobody -- cat /etc/dunlin/dunlin.toml 2>/dev/null'
inside systemctl enable dunlin.service
# What StateDirectory= does.
inside install -d -o dunlin -g dunlin -m 0700 /var/lib/dunlin
inside timeout --preserve-status 12 setpriv --reuid dunlin --regid dunlin --clear-groups dunlin run
says central inside dunlin spool status
kept=$(sha256sum <"$root/etc/dunlin/dunlin.toml")
collected() { inside dunlin spool status --format json | grep -m1 '"collected"'; }
before=$(collected)

step "upgrade"
said=$(install "$deb" 2>&1) || fail "$said"
! grep -q "cannot run" <<<"$said" || fail "complains without a reason: $said"
says "$version" inside dpkg-query --show dunlin
check "the configuration is kept" test "$kept" = "$(sha256sum <"$root/etc/dunlin/dunlin.toml")"
owned /etc/dunlin/dunlin.toml "600 dunlin:dunlin"
check "the spool is kept" test "$before" = "$(collected)"
check "still enabled" inside systemctl --quiet is-enabled dunlin.service

step "upgrade with a configuration that the new version does not take"
echo 'retries = 3' >>"$root/etc/dunlin/dunlin.toml"
said=$(install "$(other 99-1)" 2>&1) || fail "dpkg fails: $said"
grep -F "its service cannot run as it is configured" <<<"$said" && grep -F "sinks.influxdb.retries: is not a known key" <<<"$said" || fail "$said"
check "installed all the same" inside dpkg-query --show --showformat '${db:Status-Status}' dunlin
sed -i '/^retries/d' "$root/etc/dunlin/dunlin.toml"

step "remove"
inside apt-get remove -y -qq -o Dpkg::Use-Pty=0 dunlin
check "the program is gone" test ! -e "$root/usr/bin/dunlin"
check "the spool is kept" test -e "$root/var/lib/dunlin/spool.db"
check "the configuration is kept" test "$kept" = "$(sha256sum <"$root/etc/dunlin/dunlin.toml")"

step "install again: as it was"
install "$deb"
check "enabled as before" inside systemctl --quiet is-enabled dunlin.service
check "the spool goes on" test "$before" = "$(collected)"

step "purge"
inside apt-get purge -y -qq -o Dpkg::Use-Pty=0 dunlin
for path in /var/lib/dunlin /etc/dunlin /etc/systemd/system/multi-user.target.wants/dunlin.service /usr/share/doc/dunlin; do
  check "$path is gone" test ! -e "$root$path" -a ! -L "$root$path"
done

# The spool on a disk of its own: a mount point cannot be removed, and must not keep the package from going.
mkdir "$root/var/lib/dunlin"
cp config/package/deb/postrm "$root/tmp/"
check "purge where the spool has a disk of its own" unshare --mount sh -ec "
  mount -t tmpfs none '$root/var/lib/dunlin'
  touch '$root/var/lib/dunlin/spool.db'
  $(command -v chroot) '$root' sh /tmp/postrm purge
  test -z \"\$(ls -A '$root/var/lib/dunlin')\""
rmdir "$root/var/lib/dunlin"

step "rpm"
echo "the oldest glibc that it runs with: $(rpm -qp --requires "$rpm" | grep -o 'GLIBC_[0-9.]*' | sort -V | tail -1)"
rpm -qp --scripts "$rpm" >"$work/scripts"
for script in preinstall postinstall preuninstall postuninstall; do grep -q "^$script scriptlet" "$work/scripts" || fail "no $script"; done
# Each distribution has places of its own for some.
own='/usr/share/(doc|zsh|licenses|lintian|dunlin)/|^/etc/dunlin'
diff <(dpkg-deb --contents "$deb" | awk '!/^d/ {print $6}' | sed 's|^\.||' | grep -vE "$own" | sort) \
  <(rpm -qpl "$rpm" | grep -vE "$own" | sort) || fail "the packages' files differ"
mkdir -p "$root/var/lib/rpm"
with_rpm() { rpm --root "$root" --nodeps --nosignature "$@" 2>&1 | grep -v '^rpm: ' || [ "${PIPESTATUS[0]}" = 0 ]; }
with_rpm --install "$rpm"
for path in /etc/dunlin /etc/dunlin/dunlin.d; do owned $path "750 root:dunlin"; done
owned /etc/dunlin/dunlin.toml "600 dunlin:dunlin"
says "sinks: is missing" inside dunlin check
echo '# mine' >>"$root/etc/dunlin/dunlin.toml"
with_rpm --upgrade --force "$rpm"
check "the configuration is kept" grep -q '^# mine' "$root/etc/dunlin/dunlin.toml"
with_rpm --erase dunlin
check "the program is gone" test ! -e "$root/usr/bin/dunlin"
check "the changed configuration is kept" test -e "$root/etc/dunlin/dunlin.toml.rpmsave"

step "static binary"
mkdir -p "$work/empty/proc"
tar --extract --file "$archive" --directory "$work/empty" --strip-components 1
says "statically linked" ldd "$work/empty/dunlin"
mount --bind /proc "$work/empty/proc"
trap 'umount "$root/proc" "$work/empty/proc"; rm -rf "$work"' EXIT
check "it runs where there is nothing else" sh -c "env -i $(command -v chroot) '$work/empty' /dunlin sample --collector mem --format influx | grep ^mem,"

printf '\nAll of the packages is as it should be (%s checks).\n' "$done"
