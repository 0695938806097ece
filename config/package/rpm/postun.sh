# The spool and a configuration that was changed are left.
[ ! -d /run/systemd/system ] || systemctl daemon-reload || :
