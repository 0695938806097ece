if [ "$1" = 0 ]; then
	systemctl --no-reload disable dunlin.service >/dev/null 2>&1 || :
	[ ! -d /run/systemd/system ] || systemctl stop dunlin.service || :
fi
