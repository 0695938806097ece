//! The walk: the package on a real Debian with systemd, from its installation to its purge, through all
//! that may happen to a service in years, and a judge who says that nothing was lost.
//!
//! `tests/vm/walk.sh` runs each test here in one boot of a virtual machine whose disk lasts for the
//! walk. They install packages, set the clock and fill the disk: nobody else may run them. A step that
//! fails is written down and the next ones are still gone, since coming there has taken minutes.

mod judge;
mod machine;
mod package;
mod record;
mod service;
mod trouble;

use self::machine::Machine;
use self::record::Record;

/// From the installation to the middle of an outage; it ends with a reboot.
#[test]
#[ignore = "tests/vm/run.sh runs it, in a machine of its own"]
fn first_boot() {
    let record = Record::open();
    let machine = Machine::new(&record);
    machine.prepare();
    let mut walk = record.walk(&machine);
    assert!(walk.step("install", package::install), "there is nothing to walk with");
    walk.step("first rows", package::first_rows);
    walk.step("status of the service", package::status);
    walk.step("a container's rows, and the same rows as root", package::same_rows_as_root);
    walk.step("upgrade while the server is away", package::upgrade);
    walk.step("reload", trouble::reload);
    walk.step("reload of a wrong file", trouble::reload_of_a_wrong_file);
    walk.step("the server is away", trouble::server_goes_away);
    walk.step("SIGKILL", trouble::killed);
    walk.step("SIGSTOP", trouble::stopped);
    walk.step("to the reboot", trouble::leave);
    walk.end();
}

/// The outage goes on; it ends with a power cut.
#[test]
#[ignore = "tests/vm/run.sh runs it, in a machine of its own"]
fn second_boot() {
    let record = Record::open();
    let machine = Machine::new(&record);
    let mut walk = record.walk(&machine);
    walk.step("after the reboot", trouble::back);
    walk.step("to the power cut", trouble::leave);
    walk.end();
}

/// The clock is wrong, and all that is left.
#[test]
#[ignore = "tests/vm/run.sh runs it, in a machine of its own"]
fn third_boot() {
    let record = Record::open();
    let machine = Machine::new(&record);
    let mut walk = record.walk(&machine);
    walk.step("after the power cut, with a wrong clock", trouble::back_with_a_wrong_clock);
    walk.step("the clock is set", trouble::clock_is_set);
    walk.step("the server is back", trouble::server_comes_back);
    walk.step("the judge on every row", judge::every_row);
    walk.step("the disk is full", trouble::disk_is_full);
    walk.step("the judge on every tick", judge::every_tick);
    walk.step("remove", package::remove);
    walk.step("purge", package::purge);
    walk.end();
}
