#!/usr/bin/env bash
# Builds what is released, into target/package: a Debian package, an RPM, an archive with a static binary. (config/image/build.sh makes the image.)
# Wants what tests/package.sh installs: Rust, musl-tools, dpkg-dev; cargo-deb and cargo-generate-rpm are fetched where they are missing.
#
#   config/package/build.sh [VERSION]     by default Cargo.toml's
#
# The packages hold a binary linked with the machine's glibc: its security updates and name service modules are then dunlin's, too, and
# a reading takes 2.7 ms of a processor instead of 3.3 ms with musl's allocator. It runs with glibc 2.34 and later (RHEL 9, Debian 12); the
# static binary runs everywhere.
set -euo pipefail
cd "$(dirname "$0")/../.."

# The licences of all that is compiled in: most ask to come along with the binary. Each text once, with the names of whose it is.
notices() {
  local folder name version rest
  folder=$(mktemp -d)
  cargo tree --locked --edges normal,no-proc-macro --prefix none --format '{p}' | sort -u | while read -r name version rest; do
    for text in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/"$name-${version#v}"/{,*/}{LICEN[CS]E,COPYING}*; do
      [ -f "$text" ] || continue
      sum=$(sha256sum <"$text")
      cp -n "$text" "$folder/${sum%% *}.text"
      echo "$name $version" >>"$folder/${sum%% *}.names"
    done
  done
  for text in "$folder"/*.text; do
    echo "==== $(sort -u "${text%.text}.names" | paste -sd, | sed 's/,/, /g')"
    cat "$text"
  done
  rm -rf "$folder"
}

# The same commit makes the same packages.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
for tool in cargo-deb cargo-generate-rpm; do
  command -v $tool >/dev/null || cargo install --quiet --locked $tool
done

cargo build --locked --release --bin dunlin
dunlin=target/release/dunlin
version=${1:-$($dunlin --version | cut -d' ' -f2)}

out=target/package
parts=$out/parts # Cargo.toml says where each of them goes
rm -rf "$out"
mkdir -p "$parts/deb" "$parts/rpm"
$dunlin man --output "$parts"
for shell in bash zsh fish; do $dunlin completions $shell >"$parts/dunlin.$shell"; done
# As installed, no sink is in force: rows on standard output would fill the journal.
sed '/^\[\[sinks\.file\]\]/,/^path = /s/^[^#]/# &/' config/dunlin.toml >"$parts/dunlin.toml"
cp CHANGELOG.md "$parts/changelog"
{ cat LICENSE-MIT && printf '\nOr, as you prefer, the Apache License 2.0: /usr/share/common-licenses/Apache-2.0\n'; } >"$parts/licence"
notices >"$parts/third-party-licences"
cat >"$parts/changelog.Debian" <<END
dunlin ($version-1) stable; urgency=medium

  * What is new: /usr/share/doc/dunlin/changelog.gz

 -- $(sed -n 's/^maintainer = "\(.*\)"/\1/p' Cargo.toml)  $(date --utc --date "@$SOURCE_DATE_EPOCH" -R)
END
gzip -9n "$parts"/{dunlin.1,dunlin.toml.5,changelog,third-party-licences}

# What follows an upgrade is the same everywhere.
cp config/package/deb/* "$parts/deb/"
cat config/package/after-upgrade.sh >>"$parts/deb/postinst"
{ cat config/package/rpm/pre.sh config/systemd/dunlin.sysusers && echo END; } >"$parts/rpm/pre.sh"
cat config/package/rpm/post.sh config/package/after-upgrade.sh >"$parts/rpm/post.sh"

cargo deb --quiet --no-build --deb-version "$version-1" --output "$out/"
cargo generate-rpm --set-metadata "version = \"$version\"" --output "$out/"

# The static binary, with what a machine without a package manager wants beside it.
static=dunlin-$version-$(uname -m)
mkdir "$parts/$static"
cp "$(config/package/static.sh)" "$parts"/{dunlin.toml,dunlin.1.gz,dunlin.toml.5.gz,third-party-licences.gz} \
  config/systemd/dunlin.{service,sysusers} README.md METRICS.md CHANGELOG.md LICENSE-* "$parts/$static/"
tar --create --gzip --file "$out/$static.tar.gz" --directory "$parts" --owner=0 --group=0 --sort=name \
  --mtime "@$SOURCE_DATE_EPOCH" "$static"
ls -l "$out"
