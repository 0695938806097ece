#!/usr/bin/env bash
# Runs every fuzz target of fuzz/ for a while: tests/fuzz.sh [SECONDS [TARGET...]], a minute each by
# default. Installs cargo-fuzz if it is missing. What was found grows in fuzz/corpus/, what crashes lies in
# fuzz/artifacts/; both stay on this machine. A crash is mended with a test that needs no fuzzer.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
shift || true
command -v c++ >/dev/null || { echo "A C++ compiler is needed, such as Debian's g++." >&2; exit 1; }
command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz

# Without a sanitizer a stable toolchain will do, and dunlin has no unsafe code to be watched.
cargo fuzz build --sanitizer none
[ $# -gt 0 ] || mapfile -t targets < <(cargo fuzz list)
[ $# -eq 0 ] || targets=("$@")

crashed=()
for target in "${targets[@]}"; do
  printf '\n== %s\n' "$target"
  mkdir -p "fuzz/corpus/$target"
  # No input may take ten seconds or a gigabyte.
  cargo fuzz run --sanitizer none "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
    -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
    </dev/null || crashed+=("$target")
done

if [ ${#crashed[@]} -gt 0 ]; then
  printf '\nCRASHED: %s; see fuzz/artifacts/\n' "${crashed[*]}" >&2
  exit 1
fi
