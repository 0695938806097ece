//! Whole disks and network devices.

use serde::Serialize;

use super::{line, number};
use crate::host::Host;

/// A whole disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// As in `/dev`.
    pub name: String,
    /// Major and minor number, `259:0`.
    pub device: Option<String>,
    /// Its size.
    pub size_bytes: u64,
    /// The scheduler that is in use.
    pub scheduler: Option<String>,
}

/// A network device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NetworkDevice {
    /// Its name.
    pub name: String,
    /// Its hardware address.
    pub mac: Option<String>,
    /// The largest packet it takes, in bytes.
    pub mtu: Option<u64>,
    /// The speed of its link.
    pub speed_mbit: Option<u64>,
}

/// All disks but those that are no disk of their own: files (loop), memory (ram), what may lie in a drive
/// (sr), and one of several ways to the same disk (hidden).
pub(super) fn disks(host: &Host) -> Vec<Disk> {
    let disk = |name: String| {
        let path = |file: &str| format!("/sys/block/{name}/{file}");
        if number(host, &path("hidden")) == Some(1) {
            return None;
        }
        // The kernel counts in sectors of 512 bytes, whatever the disk has.
        let size_bytes = number(host, &path("size"))?.checked_mul(512).filter(|size| *size > 0)?;
        let device = line(host, &path("dev"));
        let scheduler = line(host, &path("queue/scheduler")).and_then(|list| chosen(&list));
        Some(Disk { name, device, size_bytes, scheduler })
    };
    let mut names = host.list("/sys/block").unwrap_or_default();
    names.retain(|name| !["loop", "ram", "sr"].iter().any(|none| name.starts_with(none)));
    names.into_iter().filter_map(disk).collect()
}

/// The one in brackets, `[none] mq-deadline`; the only one where there is no choice.
fn chosen(list: &str) -> Option<String> {
    let Some((_, after)) = list.split_once('[') else {
        return (!list.contains(' ')).then(|| list.to_owned());
    };
    let (chosen, _) = after.split_once(']')?;
    Some(chosen.to_owned())
}

/// `ARPHRD_LOOPBACK` of the kernel's `if_arp.h`.
const LOOPBACK: u64 = 772;

pub(super) fn network_devices(host: &Host) -> Vec<NetworkDevice> {
    let device = |name: String| {
        let path = |file: &str| format!("/sys/class/net/{name}/{file}");
        let hidden =
            name == "lo" || name.starts_with("veth") || number(host, &path("type")) == Some(LOOPBACK);
        // `bonding_masters` is a file among the folders.
        if hidden || !host.has(path("mtu")) {
            return None;
        }
        let mac = line(host, &path("address"));
        // A driver that does not know says -1, which old kernels print as 4294967295.
        let speed_mbit = number(host, &path("speed")).filter(|speed| *speed < u64::from(u32::MAX));
        let mtu = number(host, &path("mtu"));
        Some(NetworkDevice { name, mac, mtu, speed_mbit })
    };
    host.list("/sys/class/net").unwrap_or_default().into_iter().filter_map(device).collect()
}

#[cfg(test)]
mod tests {
    use super::chosen;

    #[test]
    fn the_scheduler_in_brackets_is_in_use() {
        assert_eq!(chosen("mq-deadline [bfq] none").as_deref(), Some("bfq"));
        assert_eq!(chosen("none").as_deref(), Some("none"));
        assert_eq!(chosen("mq-deadline none"), None);
        assert_eq!(chosen("[none"), None);
    }
}
