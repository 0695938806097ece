#!/usr/bin/env bash
# The long forms of tests that tests/run.sh runs in short: tests/long.sh [PART|all], in a release build.
set -euo pipefail
cd "$(dirname "$0")/.."

# One line per part: its name, its tests, and the commands that it needs.
parts='
crash    crash::        influxd
network  bad_network::  influxd ip socat
'

wanted=${1:-all}
ran=
while read -r part tests commands; do
  [ -n "$part" ] || continue
  [ "$wanted" = all ] || [ "$wanted" = "$part" ] || continue
  for command in $commands; do
    command -v "$command" >/dev/null || { echo "$part needs $command: run tests/run.sh first, which installs it" >&2; exit 1; }
  done
  printf '\n== %s\n' "$part"
  DUNLIN_TEST_LONG=1 cargo test --release --locked --test it "$tests" -- --nocapture </dev/null
  ran=1
done <<<"$parts"
[ -n "$ran" ] || { echo "there is no part $wanted; expected all or one of:" $(awk '{ print $1 }' <<<"$parts") >&2; exit 1; }
