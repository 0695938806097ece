#!/usr/bin/env bash
# boot.sh FOLDER COMMAND: runs COMMAND (a line of sh) as root in a fresh virtual machine, in FOLDER, which is there under its own path.
#
# Prints what COMMAND prints and ends with its status; 124 if it takes longer than $DUNLIN_VM_TIMEOUT seconds (1800), 125 if the machine does
# not get that far. What changes outside FOLDER is forgotten, unless $DUNLIN_VM_DISK names a disk of its own. $DUNLIN_VM_END is how the machine
# ends (a line of sh; by default it is switched off at once), $DUNLIN_VM_CLOCK what its clock says at the start (the right time). The machine
# reaches no network. Wants root, for virtiofsd.
set -euo pipefail

image=${DUNLIN_VM:-${XDG_CACHE_HOME:-$HOME/.cache}/dunlin-vm}
[ -e "$image/made-by" ] || { echo "no machine in $image; tests/vm/image.sh makes it" >&2; exit 125; }
memory=2048M
run=$(mktemp -d /tmp/dunlin-vm.XXXXXX)
started=()
trap 'kill "${started[@]}" 2>/dev/null || true; rm -rf "$run"' EXIT
trap 'exit 143' TERM INT
mkdir "$run/host"
realpath "$1" >"$run/host/folder"
printf '%s\n' "$2" >"$run/host/command"
printf '%s\n' "${DUNLIN_VM_END:-sync; poweroff -ff}" >"$run/host/end"
: >"$run/host/output"

# Serves FOLDER to the machine under TAG, for as long as the machine runs.
share() {
  /usr/lib/qemu/virtiofsd --socket-path="$run/$1" -o source="$2" -o cache=auto >"$run/$1.log" 2>&1 &
  started+=($!)
  until [ -S "$run/$1" ]; do
    kill -0 $! 2>/dev/null || { cat "$run/$1.log" >&2; exit 125; }
    sleep 0.1
  done
}
share run "$run/host"
share share "$(realpath "$1")"

disk=(-drive "file=$image/root.img,format=raw,if=none,id=root,snapshot=on")
[ -z "${DUNLIN_VM_DISK:-}" ] || disk=(-drive "file=$DUNLIN_VM_DISK,format=raw,if=none,id=root")

# KVM is used where it is said to work; software emulation works everywhere, ten times slower.
accelerator=${DUNLIN_VM_ACCELERATOR:-tcg,thread=multi}
TMPDIR=/var/tmp timeout -k 10 "${DUNLIN_VM_TIMEOUT:-1800}" qemu-system-x86_64 \
  -machine pc,memory-backend=ram -accel "$accelerator" -cpu max -smp 2 -m $memory \
  -object memory-backend-memfd,id=ram,size=$memory,share=on \
  -nodefaults -display none -no-reboot -serial "file:$run/console" \
  -uuid 6f1ad3f2-3a0b-4c47-9a57-0242ac110002 \
  "${disk[@]}" -device nvme,drive=root,serial=root -rtc "base=${DUNLIN_VM_CLOCK:-utc}" \
  -nic user,restrict=on,model=virtio-net-pci,mac=52:54:00:12:34:56 \
  -chardev "socket,id=run,path=$run/run" -device vhost-user-fs-pci,chardev=run,tag=run \
  -chardev "socket,id=share,path=$run/share" -device vhost-user-fs-pci,chardev=share,tag=share \
  -kernel "$image/vmlinuz" \
  -append "root=/dev/nvme0n1 rw console=ttyS0 quiet panic=-1 net.ifnames=0 mitigations=off apparmor=0 audit=0 no_timer_check nokaslr" \
  >"$run/qemu.log" 2>&1 </dev/null &
machine=$!
tail -n +1 -s 0.2 -f --pid=$machine "$run/host/output" &
printer=$!
started+=($machine $printer)

status=0
wait $machine || status=$?
wait $printer || true
[ -s "$run/host/status" ] && exit "$(cat "$run/host/status")"
cat "$run"/*.log "$run/console" >&2 || true
[ $status = 124 ] || status=125
exit $status
