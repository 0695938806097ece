#!/usr/bin/env bash
# Runs the tests against a real Debian with systemd as PID 1 and cgroup v2 alone, in a virtual machine: what other tools say of the
# machine and its containers, and what dunlin says. Some ten minutes under software emulation.
#
#   tests/vm/run.sh [FILTER...]     names of tests, as for cargo test; by default those that control groups matter to
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- truth::

packages=(qemu-system-x86 mmdebstrap e2fsprogs)
if ! { command -v qemu-system-x86_64 && command -v mmdebstrap && command -v mke2fs; } >/dev/null; then
  apt-get update -qq || true
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi
tests/vm/image.sh

tests=$(cargo test --locked --test it --no-run --message-format json-render-diagnostics |
  sed -n 's|.*"executable":"\([^"]*/it-[^"]*\)".*|\1|p' | tail -1)
agent=$(dirname "$tests")/../dunlin
# Everything takes twenty times as long there.
tests/vm/boot.sh "$PWD" "export DUNLIN_TEST_PATIENCE=900 DUNLIN_TEST_BINARY=$(realpath "$agent")
  uname -a && stat --format 'cgroup filesystem: %T' --file-system /sys/fs/cgroup &&
  $tests --test-threads 1 --nocapture $*"
