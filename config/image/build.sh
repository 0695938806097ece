#!/usr/bin/env bash
# Builds the image `dunlin` (or NAME): a static binary FROM scratch. Wants Rust, musl-tools, Docker and the machine's CA certificates.
#
#   config/image/build.sh [NAME] [CARGO-OPTION...]     the options replace --release
set -euo pipefail
cd "$(dirname "$0")/../.."

name=${1:-dunlin}
[ $# = 0 ] || shift
binary=$(config/package/static.sh "$@")

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp "$binary" "$context/dunlin"
cp config/image/Dockerfile config/image/dunlin.toml "$context/"
cp /etc/ssl/certs/ca-certificates.crt "$context/"
docker build --quiet --tag "$name" "$context"
