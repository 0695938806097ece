#!/usr/bin/env bash
# The long forms of tests that tests/run.sh runs in short: tests/long.sh [PART|all], in a release build.
set -euo pipefail
cd "$(dirname "$0")/.."

# One line per part: its name, where its tests are, their names, and the commands that they need.
parts='
model    --lib      model::
crash    --test=it  crash::        influxd
network  --test=it  bad_network::  influxd ip socat
outage   --test=it  outage::       influxd
reload   --test=it  reload::       influxd
disk     --test=it  disk_full::
churn    --test=it  churn::        influxd dockerd
power    --test=it  power_cut::    cc
walk     --test=it  filesystem::walk  dockerd
'

wanted=${1:-all}
ran=
while read -r part where tests commands; do
  [ -n "$part" ] || continue
  [ "$wanted" = all ] || [ "$wanted" = "$part" ] || continue
  for command in $commands; do
    command -v "$command" >/dev/null || { echo "$part needs $command: run tests/run.sh first, which installs it" >&2; exit 1; }
  done
  printf '\n== %s\n' "$part"
  DUNLIN_TEST_LONG=1 PROPTEST_CASES=1000 \
    cargo test --release --locked "$where" "$tests" -- --nocapture </dev/null
  ran=1
done <<<"$parts"
[ -n "$ran" ] || { echo "there is no part $wanted; expected all or one of:" $(awk '{ print $1 }' <<<"$parts") >&2; exit 1; }
