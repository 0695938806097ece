#!/usr/bin/env bash
# Runs all tests, in their short forms (tests/long.sh has the long ones). Installs what is missing
# (Debian packages, as root; Etsy's statsd from npm and cargo-deny from crates.io, into a cache folder), so
# that the real servers are there. What a machine cannot have is said at the end; with CI=true it is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

skipped=()

# Has COMMAND, or gets it from PACKAGE; otherwise notes that PART is skipped.
need() {
  local part=$1 command=$2 package=$3
  command -v "$command" >/dev/null 2>&1 && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    [ -n "${updated:-}" ] || { apt-get update -qq || true; updated=1; }
    # Only the programs are wanted: the packages' own services are not to be started.
    local policy=/usr/sbin/policy-rc.d made=
    [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy && made=1; }
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null || true
    [ -z "$made" ] || rm -f $policy
  fi
  command -v "$command" >/dev/null 2>&1 || skipped+=("$part")
}

need influxd influxd influxdb
need victoria-metrics victoria-metrics victoria-metrics
need nginx nginx nginx-light
need nginx openssl openssl
need tinyproxy tinyproxy tinyproxy
need collectd collectd collectd-core
need etsy-statsd node nodejs
need etsy-statsd npm npm
need ps ps procps
need docker dockerd docker.io
need docker docker docker.io
need docker busybox busybox-static
need docker ip iproute2
need docker iptables iptables
need containerd containerd containerd
need containerd ctr containerd
need containerd busybox busybox-static
need podman podman podman
need podman conmon conmon
need podman runc runc
need iostat iostat sysstat
need systemd systemd-analyze systemd
need image update-ca-certificates ca-certificates
need image musl-gcc musl-tools
need dbus dbus-daemon dbus-daemon
need systemd-journald journalctl systemd
need netns ip iproute2
need netns socat socat
if [ "$(id -u)" != 0 ]; then skipped+=(docker netns); fi
unshare --mount true 2>/dev/null || skipped+=(systemd-journald)
if [ ! -c /dev/net/tun ]; then skipped+=(netns); fi
# Small disks, to be full.
unshare --mount mount -t tmpfs tmpfs /tmp 2>/dev/null || skipped+=(mount)
# Filesystems that nobody serves.
unshare --mount sh -c 'exec 3<>/dev/fuse && mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 x /mnt' \
  2>/dev/null || skipped+=(fuse)

cache=${XDG_CACHE_HOME:-$HOME/.cache}/dunlin-tests
export DUNLIN_TEST_STATSD=$cache/node_modules/statsd
if [ ! -e "$DUNLIN_TEST_STATSD/stats.js" ]; then
  npm install --silent --ignore-scripts --omit=optional --prefix "$cache" statsd@0.9.0 || skipped+=(etsy-statsd)
fi
# Unoptimised it builds in half the time and checks in a second all the same.
deny_version=0.20.2
if ! cargo deny --version 2>/dev/null | grep -qx "cargo-deny $deny_version"; then
  PATH=$cache/bin:$PATH
  [ -x "$cache/bin/cargo-deny" ] && cargo deny --version | grep -qx "cargo-deny $deny_version" ||
    cargo install --quiet --locked --debug --force --root "$cache" --version $deny_version cargo-deny ||
    skipped+=(cargo-deny)
fi

if [ ${#skipped[@]} -gt 0 ]; then
  DUNLIN_TEST_SKIP=$(IFS=,; echo "${skipped[*]}")
  export DUNLIN_TEST_SKIP
fi

# Some tests want an engine. It has folders, a socket and a network of its own, so that the machine's
# Docker, firewall and bridges are left alone.
if ! printf '%s\n' "${skipped[@]}" | grep -qx docker; then
  folder=$(mktemp -d)
  unshare --net dockerd --iptables=false --ip6tables=false --data-root "$folder/data" \
    --exec-root "$folder/exec" --pidfile "$folder/pid" -H "unix://$folder/docker.sock" >"$folder/log" 2>&1 &
  dockerd=$!
  trap 'kill $dockerd 2>/dev/null || true; wait $dockerd || true; rm -rf "$folder" 2>/dev/null || true' EXIT
  trap 'exit 143' TERM INT
  export DOCKER_HOST=unix://$folder/docker.sock
  for _ in $(seq 120); do
    docker info >/dev/null 2>&1 && break
    kill -0 $dockerd 2>/dev/null || { tail -20 "$folder/log"; exit 1; }
    sleep 0.5
  done
fi

step() { printf '\n== %s\n' "$*"; "$@"; }

for script in tests/*.sh tests/vm/*.sh config/image/build.sh config/package/*.sh .ci/run; do bash -n "$script"; done
step cargo fmt --check
step cargo clippy --all-targets --locked -- -D warnings
if ! printf '%s\n' "${skipped[@]}" | grep -qx cargo-deny; then
  step cargo deny --locked check licenses bans sources
  if timeout 60 cargo deny --locked fetch db >/dev/null 2>&1; then
    step cargo deny --locked --offline check advisories ||
      echo "ADVISORIES: look at the above; deny.toml is where one is answered." >&2
  else
    echo "ADVISORIES NOT CHECKED: their database at github.com cannot be reached from here." >&2
  fi
fi
# The same cases of every property each time; what only chance finds is for tests/long.sh.
export PROPTEST_RNG_SEED=${PROPTEST_RNG_SEED:-20261124}
step cargo test --locked --lib
step cargo test --locked --test it -- --test-threads 4

if [ ${#skipped[@]} -gt 0 ]; then
  printf '\nSKIPPED, because this machine does not have it: %s\n' "$(printf '%s\n' "${skipped[@]}" | sort -u | tr '\n' ' ')" >&2
  if [ "${CI:-}" = true ]; then
    echo "With CI=true nothing may be skipped." >&2
    exit 1
  fi
else
  printf '\nAll tests passed; nothing was skipped.\n'
fi
