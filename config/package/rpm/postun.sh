# The spool, and a configuration that was changed, are left.
[ "$1" != 0 ] || rmdir /etc/dunlin/dunlin.d /etc/dunlin 2>/dev/null || :
[ ! -d /run/systemd/system ] || systemctl daemon-reload || :
