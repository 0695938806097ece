//! The machine that the walk goes through: its server, the operator's file, its clock's truth.

use std::fs;

use super::record::Record;
use super::service::{books, run, wait_ticks};
use crate::support::{Account, Influxd, wait_for};

/// Where an operator edits.
pub(super) const CONFIG: &str = "/etc/dunlin/dunlin.toml";
/// The spool of the service.
pub(super) const SPOOL: &str = "/var/lib/dunlin/spool.db";
/// Of every row, and of no other machine.
pub(super) const HOST: &str = "walk";
/// Seconds between ticks, but for a while after a reload.
pub(super) const INTERVAL: i64 = 5;

/// The machine.
pub(super) struct Machine<'a> {
    pub(super) record: &'a Record,
    pub(super) influxd: Influxd,
}

impl<'a> Machine<'a> {
    /// As it has come up.
    pub(super) fn new(record: &'a Record) -> Self {
        Self { record, influxd: Influxd::in_folder("/srv/influxdb".into(), 8086) }
    }

    /// Gives InfluxDB a disk of its own, which is not full when the others' is, and starts it.
    pub(super) fn prepare(&self) {
        run("fallocate", &["--length", "400M", "/srv/influxdb.img"]);
        run("mke2fs", &["-q", "/srv/influxdb.img"]);
        fs::create_dir("/srv/influxdb").unwrap();
        fs::write("/etc/fstab", "/srv/influxdb.img /srv/influxdb ext4 loop 0 0\n").unwrap();
        run("mount", &["/srv/influxdb"]);
        run("chown", &["influxdb:", "/srv/influxdb"]);
        fs::write("/etc/influxdb/influxdb.conf", self.influxd.settings()).unwrap();
        self.start_influxd();
        self.influxd.query("CREATE DATABASE it");
    }

    /// Starts the server.
    pub(super) fn start_influxd(&self) {
        run("systemctl", &["start", "influxdb"]);
        wait_for("influxd to answer", || self.influxd.answers().then_some(()));
    }

    /// Writes what an operator would. The file stays as it is to its owner and group.
    pub(super) fn configure(&self, interval: &str, site: &str) {
        let config = format!(
            "[agent]\nhostname = \"{HOST}\"\ninterval = \"{interval}\"\n[tags]\nsite = \"{site}\"\n\
             [spool]\ndurability = \"power\"\nkeep_delivered = \"1d\"\n{}",
            self.influxd.sink("central")
        );
        fs::write(CONFIG, config).unwrap();
    }

    /// Does something to the agent and waits until it measures again.
    #[track_caller]
    pub(super) fn while_dead<T>(&self, action: impl FnOnce() -> T) -> T {
        self.record.dies();
        let done = action();
        wait_ticks(1);
        self.record.lives();
        done
    }

    /// Waits until the server has all that was collected before this moment; gives the books.
    #[track_caller]
    pub(super) fn wait_settled(&self) -> Account {
        let now = self.record.now();
        wait_for("everything to be delivered", || {
            let account = books();
            account.assert_balanced();
            account.is_settled_until(now).then_some(account)
        })
    }
}
