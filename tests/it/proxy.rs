//! A real tinyproxy between the agent and its servers: plain HTTP is handed on, TLS is tunnelled, a
//! proxy that is away costs no row, and one that wants a password gets it and nobody else does.

use crate::support::{FakeHost, Home, Influxd, Nginx, Tinyproxy, certificate, lacks, now_nanos, wait_for};

/// A sink that writes to a database of its own name, through a proxy.
fn sink(name: &str, url: &str, proxy: &str) -> String {
    format!(
        r#"[[sinks.influxdb]]
name = "{name}"
urls = ["{url}"]
api = "v1"
database = "{name}"
flush_interval = "100ms"
retry_max_delay = "300ms"
proxy = "{proxy}"
[sinks.influxdb.tls]
ca_file = "{}"
cert_file = "{}"
key_file = "{}"
"#,
        certificate("ca.pem"),
        certificate("client.pem"),
        certificate("client.key")
    )
}

fn wait_for_deliveries(home: &Home) {
    for name in ["plain", "secure"] {
        let what = format!("{name} to deliver some rows");
        wait_for(&what, || (home.account(name).get("delivered") > 3).then_some(()));
    }
}

#[test]
fn rows_go_through_a_proxy_and_wait_while_it_is_away() {
    if lacks("tinyproxy") || lacks("nginx") || lacks("influxd") {
        return;
    }
    let influxd = Influxd::start();
    let nginx = Nginx::start(influxd.port());
    let mut proxy = Tinyproxy::start();
    let (plain, secure) =
        (format!("http://127.0.0.1:{}", influxd.port()), format!("https://localhost:{}", nginx.port));
    let by = format!("http://127.0.0.1:{}", proxy.port);
    let sinks = sink("plain", &plain, &by) + &sink("secure", &secure, &by);
    let host = FakeHost::new();
    let home = Home::new(&format!("{}{sinks}", host.settings("200ms")));
    let mut agent = home.run();
    wait_for_deliveries(&home);
    let log = proxy.log();
    assert!(log.contains(&format!("POST {plain}/write?db=plain")), "{log}");
    assert!(log.contains(&format!("CONNECT localhost:{}", nginx.port)), "{log}");
    // What is in the tunnel is nobody's but the server's.
    assert!(!log.contains("db=secure"), "{log}");

    proxy.stop();
    for name in ["plain", "secure"] {
        wait_for("rows to wait for the proxy", || {
            let account = home.account(name);
            account.assert_balanced();
            let waits = account.get("pending_frames") > 5
                && account.trouble().contains("the proxy cannot be reached");
            waits.then_some(())
        });
    }
    let away_until = now_nanos();
    proxy.resume();
    for name in ["plain", "secure"] {
        let account = wait_for("what has waited to be delivered", || {
            Some(home.account(name)).filter(|account| account.is_settled_until(away_until))
        });
        account.assert_balanced();
        assert_eq!(
            account.get("delivered") + account.get("pending"),
            account.get("collected"),
            "{account:?}"
        );
    }
    assert!(agent.server.stop().success(), "{}", agent.server.last_words());
}

#[test]
fn a_proxy_gets_its_password_and_the_log_does_not() {
    if lacks("tinyproxy") || lacks("nginx") || lacks("influxd") {
        return;
    }
    let influxd = Influxd::start();
    let nginx = Nginx::start(influxd.port());
    let proxy = Tinyproxy::for_one_user();
    let (plain, secure) =
        (format!("http://127.0.0.1:{}", influxd.port()), format!("https://localhost:{}", nginx.port));
    let by = |user: &str| format!("http://{user}127.0.0.1:{}", proxy.port);
    let known = by("bird:over-the-ocean@");
    let sinks = [
        sink("plain", &plain, &known),
        sink("secure", &secure, &known),
        sink("unknown", &plain, &by("")),
        sink("wrong", &secure, &by("bird:over-the-hills@")),
    ];
    let host = FakeHost::new();
    let home = Home::new(&format!("{}{}", host.settings("200ms"), sinks.concat()));
    let mut agent = home.run();
    wait_for_deliveries(&home);
    for name in ["unknown", "wrong"] {
        let account = wait_for("the proxy to refuse", || {
            Some(home.account(name)).filter(|account| !account.trouble().is_empty())
        });
        assert!(account.trouble().contains("check the proxy's username and password"), "{account:?}");
        assert_eq!(account.get("pending"), account.get("collected"), "{account:?}");
        assert!(!account.trouble().contains("over-the"), "{account:?}");
    }
    assert!(agent.server.stop().success(), "{}", agent.server.last_words());
    let log = agent.server.err();
    assert!(log.contains("check the proxy's") && !log.contains("over-the"), "{log}");
}
