#!/usr/bin/env bash
# On a real Debian with systemd as PID 1 and cgroup v2 alone, in a virtual machine: some twenty minutes under software emulation.
#
#   tests/vm/run.sh                 the walk: the package is installed, upgraded, killed, cut off, removed (tests/vm/walk.sh)
#   tests/vm/run.sh FILTER...       tests, by names as for cargo test; truth:: are those that control groups matter to
set -euo pipefail
cd "$(dirname "$0")/../.."

packages=(qemu-system-x86 mmdebstrap e2fsprogs musl-tools dpkg-dev)
commands=(qemu-system-x86_64 mmdebstrap mke2fs musl-gcc dpkg-shlibdeps)
if [ "$(command -v "${commands[@]}" | wc -l)" -lt ${#commands[@]} ]; then
  apt-get update -qq || true
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi
tests/vm/image.sh

tests=$(cargo test --locked --test it --no-run --message-format json-render-diagnostics |
  sed -n 's|.*"executable":"\([^"]*/it-[^"]*\)".*|\1|p' | tail -1)
[ $# -gt 0 ] || exec tests/vm/walk.sh "$tests"

agent=$(dirname "$tests")/../dunlin
# Everything takes twenty times as long there.
tests/vm/boot.sh "$PWD" "export DUNLIN_TEST_PATIENCE=900 DUNLIN_TEST_BINARY=$(realpath "$agent")
  uname -a && stat --format 'cgroup filesystem: %T' --file-system /sys/fs/cgroup &&
  $tests --test-threads 1 --nocapture $*"
