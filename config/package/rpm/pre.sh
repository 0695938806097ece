# The user owns files of the package, so it is made before they are there. build.sh puts sysusers.d's lines below.
systemd-sysusers --replace=/usr/lib/sysusers.d/dunlin.conf - <<'END'
