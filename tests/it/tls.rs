//! A real nginx with TLS before a real influxd: it lets in whoever has a certificate of its
//! authority. A sink that is not let in, or does not trust what it sees, keeps its rows, says why,
//! and delivers all of them once its settings are mended.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use crate::support::{FakeHost, Home, Influxd, Nginx, certificate, lacks, now_nanos, wait_for};

/// A sink that writes to a database of its own name.
fn sink(name: &str, url: &str, tls: &[(&str, &str)]) -> String {
    let mut text = format!(
        r#"[[sinks.influxdb]]
name = "{name}"
urls = ["{url}"]
api = "v1"
database = "{name}"
flush_interval = "100ms"
retry_max_delay = "300ms"
[sinks.influxdb.tls]
"#
    );
    for (key, file) in tls {
        writeln!(text, "{key} = \"{}\"", certificate(file)).unwrap();
    }
    text
}

const AUTHORITY: (&str, &str) = ("ca_file", "ca.pem");
const CERTIFICATE: (&str, &str) = ("cert_file", "client.pem");
const KEY: (&str, &str) = ("key_file", "client.key");

#[test]
fn only_a_sink_with_the_right_certificates_delivers_and_the_others_say_why() {
    if lacks("nginx") || lacks("influxd") {
        return;
    }
    let influxd = Influxd::start();
    let nginx = Nginx::start(influxd.port());
    assert_speaks_tls_1_1(nginx.old_port);
    let url = format!("https://localhost:{}", nginx.port);
    let (by_address, old) =
        (format!("https://127.0.0.1:{}", nginx.port), format!("https://localhost:{}", nginx.old_port));
    let all = [AUTHORITY, CERTIFICATE, KEY];
    // Name, sink, what is said.
    let shut_out = [
        (
            "bare",
            sink("bare", &url, &[AUTHORITY]),
            "the server answered 400: 400 No required SSL certificate was sent",
        ),
        (
            "stranger",
            sink("stranger", &url, &[("ca_file", "client.pem"), CERTIFICATE, KEY]),
            "invalid peer certificate: UnknownIssuer",
        ),
        ("public", sink("public", &url, &[CERTIFICATE, KEY]), "invalid peer certificate: UnknownIssuer"),
        ("address", sink("address", &by_address, &all), "certificate not valid for name \"127.0.0.1\""),
        ("old", sink("old", &old, &all), "ProtocolVersion"),
    ];
    let host = FakeHost::new();
    let sinks: String = shut_out.iter().map(|(_, sink, _)| sink.as_str()).collect();
    let start = host.settings("200ms");
    let home = Home::new(&format!("{start}{}{sinks}", sink("it", &url, &all)));

    let mut agent = home.run();
    influxd.wait_rows("mem", "", 5);
    for (name, _, said) in &shut_out {
        let what = format!("{name} to be in trouble");
        let account =
            wait_for(&what, || Some(home.account(name)).filter(|account| !account.trouble().is_empty()));
        assert!(account.trouble().contains(said), "{name}: {}", account.trouble());
        assert_eq!(account.get("pending"), account.get("collected"), "{account:?}");
        account.assert_balanced();
    }
    assert!(agent.server.stop().success(), "{}", agent.server.last_words());
    for (name, _, said) in &shut_out {
        let log = agent.server.err();
        let line = log.lines().find(|line| line.contains(&format!("sink={name} ")));
        assert!(line.is_some_and(|line| line.contains(&said.replace('"', "\\\""))), "{name}: {log}");
    }
    let databases = influxd.show("SHOW DATABASES", "name");
    assert_eq!(databases.iter().filter(|name| *name != "_internal").collect::<Vec<_>>(), ["it"]);

    let names = shut_out.iter().map(|(name, _, _)| *name);
    let mended: String = names.clone().map(|name| sink(name, &url, &all)).collect();
    home.configure(&format!("{start}{mended}"));
    let kept_until = now_nanos();
    let mut agent = home.run();
    for name in names {
        let account = wait_for("all that was kept to be delivered", || {
            Some(home.account(name)).filter(|account| account.is_settled_until(kept_until))
        });
        account.assert_balanced();
        assert_eq!(
            account.get("delivered") + account.get("pending"),
            account.get("collected"),
            "{account:?}"
        );
        assert!(account.get("delivered") > 5, "{account:?}");
    }
    assert!(agent.server.stop().success(), "{}", agent.server.last_words());
}

/// Otherwise it would prove nothing that the agent does not.
fn assert_speaks_tls_1_1(port: u16) {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-connect"]);
    let output = command.arg(format!("127.0.0.1:{port}")).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("Protocol  : TLSv1.1") && output.status.success(), "{said}");
}
