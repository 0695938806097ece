# As the Debian package: a new installation starts nothing unless the distribution's presets say so, an upgrade restarts.
upgraded=
[ "$1" -lt 2 ] || upgraded=yes
if [ -z "$upgraded" ]; then
	systemctl --no-reload preset dunlin.service >/dev/null 2>&1 || :
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || :
	if [ -n "$upgraded" ] && systemctl --quiet is-enabled dunlin.service; then
		systemctl restart dunlin.service >/dev/null 2>&1 || :
	fi
fi
