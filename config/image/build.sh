#!/usr/bin/env bash
# Builds the image `dunlin` (or NAME): a static binary FROM scratch. Wants Rust, libc6-dev, Docker and the machine's CA certificates.
#
#   config/image/build.sh [NAME] [CARGO-OPTION...]     the options replace --release
set -euo pipefail
cd "$(dirname "$0")/../.."

name=${1:-dunlin}
[ $# = 0 ] || shift
[ $# -gt 0 ] || set -- --release

# With a target that is named, the flag is for the program alone and not for what runs while it is built.
target=$(rustc --print host-tuple)
export RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static"
binary=$(cargo build --locked --bin dunlin --target "$target" --message-format json-render-diagnostics "$@" |
  sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -1)

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp "$binary" "$context/dunlin"
cp config/image/Dockerfile config/image/dunlin.toml "$context/"
cp /etc/ssl/certs/ca-certificates.crt "$context/"
docker build --quiet --tag "$name" "$context"
