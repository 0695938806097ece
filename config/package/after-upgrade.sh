
# Whoever upgrades is told why a service that should run does not. The package is installed all the same: what has to be mended is
# the configuration or the machine. Where systemd does not run (an image is made), the configuration alone is looked at.
if [ -n "$upgraded" ] && systemctl --quiet is-enabled dunlin.service 2>/dev/null; then
	said=$(dunlin check 2>&1) && good=yes || good=
	if [ ! -d /run/systemd/system ]; then
		[ -n "$good" ] || why=$said
	elif ! systemctl --quiet is-active dunlin.service; then
		[ -z "$good" ] && why=$said || why=$(journalctl --unit dunlin.service --boot --lines 10 --output cat --no-pager 2>/dev/null || true)
	fi
	if [ -n "${why:-}" ]; then
		cat >&2 <<END

dunlin is upgraded, but its service cannot run as it is configured:
$why
What it has measured is kept in the spool. systemctl status dunlin shows what the service said itself. When it is mended:
  dunlin check && systemctl restart dunlin

END
	fi
fi
