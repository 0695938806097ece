#!/usr/bin/env bash
# walk.sh TESTS: the package's life in a virtual machine, from its installation to its purge (tests/it/walk.rs), over a reboot and a power
# cut in the middle of an outage. TESTS is the program of the tests. Prints what it does, then a line for every step; fails if one has failed.
#
# $DUNLIN_DEB is a package that is there already; $DUNLIN_DEB_BEFORE the one that is upgraded, by default the same under an older version.
set -euo pipefail
cd "$(dirname "$0")/../.."

walk=$PWD/target/walk # the record, which outlasts the machine's boots
rm -rf "$walk"
mkdir -p "$walk"
trap 'rm -f "$walk/root.img"' EXIT
trap 'exit 143' TERM INT

[ -n "${DUNLIN_DEB:-}" ] || config/package/build.sh
cp "${DUNLIN_DEB:-$(ls target/package/*.deb)}" "$walk/dunlin.deb"

# Makes a package of an older version, whose configuration is not the newer one's either.
older() {
  dpkg-deb --raw-extract "$1" "$walk/before"
  sed -i 's/^Version: .*/Version: 0.0.1/' "$walk/before/DEBIAN/control"
  [ ! -e "$walk/before/etc/dunlin/dunlin.toml" ] || echo '## Of the version before.' >>"$walk/before/etc/dunlin/dunlin.toml"
  dpkg-deb --build -Zgzip "$walk/before" "$2" >/dev/null
  rm -rf "$walk/before"
}
if [ -n "${DUNLIN_DEB_BEFORE:-}" ]; then cp "$DUNLIN_DEB_BEFORE" "$walk/before.deb"; else older "$walk/dunlin.deb" "$walk/before.deb"; fi

# A disk that lasts from boot to boot, and whose filesystem outlives a power cut.
cp --sparse=always "${DUNLIN_VM:-${XDG_CACHE_HOME:-$HOME/.cache}/dunlin-vm}/root.img" "$walk/root.img"
tune2fs -O has_journal "$walk/root.img" >/dev/null
export DUNLIN_VM_DISK=$walk/root.img

failed=0
boot() {
  # Everything takes twenty times as long there.
  tests/vm/boot.sh "$PWD" "export DUNLIN_WALK=$walk DUNLIN_TEST_PATIENCE=300 DUNLIN_TEST_BINARY=/usr/bin/dunlin RUST_BACKTRACE=0
    $1 --exact --ignored --test-threads 1 --nocapture walk::$2" || failed=1
}
DUNLIN_VM_END='systemctl reboot' boot "$1" first_boot
[ -e "$walk/dead" ] || exit 1
DUNLIN_VM_END='echo b >/proc/sysrq-trigger' boot "$1" second_boot
DUNLIN_VM_CLOCK=2004-02-29T12:00:00 boot "$1" third_boot

printf '\nThe walk, in %s s:\n' $SECONDS
cat "$walk/transcript"
exit $failed
