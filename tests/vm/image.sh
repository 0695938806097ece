#!/usr/bin/env bash
# Makes the virtual machine that tests/vm/boot.sh starts, once: a Debian of this machine's release with systemd as PID 1, cgroup v2,
# Docker and InfluxDB. It lies in $DUNLIN_VM (a cache folder by default) as vmlinuz and root.img. Wants root, mmdebstrap and e2fsprogs.
set -euo pipefail

out=${DUNLIN_VM:-${XDG_CACHE_HOME:-$HOME/.cache}/dunlin-vm}
made_by=$(sha256sum <"$0")
[ "$(cat "$out/made-by" 2>/dev/null)" = "$made_by" ] && exit 0

release=$(. /etc/os-release && echo "$VERSION_CODENAME")
root=$(mktemp -d /dev/shm/dunlin-vm.XXXXXX) # 800 MB, in memory: a disk takes four times as long
trap 'rm -rf "$root"' EXIT
trap 'exit 143' TERM INT

# The cloud kernel has NVMe and ext4 built in: it boots without an initrd.
INITRD=No mmdebstrap --quiet --variant=minbase \
  --include=systemd,systemd-sysv,udev,dbus,kmod,procps,iproute2,sysstat,util-linux-extra \
  --include=linux-image-cloud-amd64,docker.io,iptables,busybox-static,influxdb,socat \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' "$release" "$root"

cat >"$root/usr/local/sbin/errand" <<'END'
#!/bin/sh
# Runs the command that the host has left, tells it what came of it, and ends the machine as the host wants it.
mkdir -p /run/host
mount -t virtiofs run /run/host || poweroff -ff
folder=$(cat /run/host/folder)
mkdir -p "$folder"
mount -t virtiofs share "$folder" || poweroff -ff
ip address add 10.0.2.15/24 dev eth0
ip link set eth0 up
cd "$folder"
sh /run/host/command >/run/host/output 2>&1
echo $? >/run/host/status
sh /run/host/end
END
chmod +x "$root/usr/local/sbin/errand"

cat >"$root/etc/systemd/system/errand.service" <<'END'
[Unit]
Description=What the host wants done
After=multi-user.target

[Service]
Type=exec
Environment=HOME=/root
ExecStart=/usr/local/sbin/errand

[Install]
WantedBy=graphical.target
END

echo vm >"$root/etc/hostname"
echo '127.0.0.1 localhost vm' >"$root/etc/hosts"
printf '%s\n' virtio_pci virtiofs virtio_net >"$root/etc/modules-load.d/vm.conf"
chroot "$root" systemd-machine-id-setup
chroot "$root" passwd -d root
# The tests start their own servers.
chroot "$root" systemctl disable docker.service docker.socket containerd.service influxdb.service e2scrub_reap.service \
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer
chroot "$root" systemctl mask getty@tty1.service serial-getty@ttyS0.service
chroot "$root" systemctl enable errand.service

mkdir -p "$out"
rm -f "$out/made-by"
cp "$root"/boot/vmlinuz-* "$out/vmlinuz"
mke2fs -q -F -t ext4 -O ^has_journal -d "$root" "$out/root.img" 4G
echo "$made_by" >"$out/made-by"
