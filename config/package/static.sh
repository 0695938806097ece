#!/usr/bin/env bash
# Builds the binary that needs nothing of the machine it runs on, and prints where it is. Wants Rust and musl-gcc (musl-tools).
#
#   config/package/static.sh [CARGO-OPTION...]     the options replace --release
#
# It is linked with musl. glibc's static form would load the machine's own name service modules, of whatever version they are.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- --release

target=$(uname -m)-unknown-linux-musl
rustc --print target-libdir --target "$target" | xargs test -d || rustup --quiet target add "$target" >&2
cargo build --locked --bin dunlin --target "$target" --message-format json-render-diagnostics "$@" |
  sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -1
