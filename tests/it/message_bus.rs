//! systemd's units are asked for over a real message bus, on which nobody is systemd.

use std::fs;
use std::process::Command;

use crate::support::{Home, Server, lacks, wait_for};

const CONFIG: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path=SOCKET</listen>
  <auth>EXTERNAL</auth>
  <policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy>
</busconfig>
"#;

#[test]
fn a_bus_without_systemd_says_so() {
    if lacks("dbus") {
        return;
    }
    let home = Home::new("");
    let root = home.path().join("root");
    fs::create_dir_all(root.join("run/dbus")).unwrap();
    fs::create_dir_all(root.join("run/systemd/system")).unwrap();
    home.configure(&format!(
        "[agent]\ninterval = \"500ms\"\nroot = \"{}\"\nstate_dir = \"state\"\n\
         [collectors]\nenabled = [\"systemd_units\"]\n[containers]\nenabled = false\n\
         [[sinks.file]]\nname = \"out\"\npath = \"rows.txt\"\nformat = \"influx\"\n",
        root.display()
    ));
    let socket = root.join("run/dbus/system_bus_socket");
    let config = home.path().join("bus.conf");
    fs::write(&config, CONFIG.replace("SOCKET", &socket.display().to_string())).unwrap();
    let mut command = Command::new("dbus-daemon");
    command.args(["--nofork", "--config-file"]).arg(&config);
    let _bus = Server::start("dbus-daemon", &mut command, home.path());
    wait_for("the bus", || socket.exists().then_some(()));
    let agent = home.run();
    let said = "it answered org.freedesktop.DBus.Error.ServiceUnknown";
    wait_for("what the bus answers", || agent.server.err().contains(said).then_some(()));
    assert_eq!(agent.server.err().matches(said).count(), 1, "once");
}
