# As the Debian package: a new installation starts nothing unless the distribution's presets say so, an upgrade restarts.
upgraded=
[ "$1" -lt 2 ] || upgraded=yes
if [ -z "$upgraded" ]; then
	# There may be secrets in them.
	install -d -m 0750 -g dunlin /etc/dunlin /etc/dunlin/dunlin.d
	systemctl --no-reload preset dunlin.service >/dev/null 2>&1 || :
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || :
	if [ -n "$upgraded" ] && systemctl --quiet is-enabled dunlin.service; then
		systemctl restart dunlin.service >/dev/null 2>&1 || :
	fi
fi
