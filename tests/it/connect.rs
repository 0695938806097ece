//! `dunlin check --connect` before real servers: what it says of a password, a database, a server that is not
//! there, and that it changes nothing.

use crate::support::{Ended, Home, Influxd, Nginx, Victoria, certificate, lacks};

fn ask(sinks: &str) -> Ended {
    let home = Home::new(&format!("[agent]\nstate_dir = \"state\"\n[containers]\nenabled = false\n{sinks}"));
    let ended = home.dunlin(["check", "--connect", "--config", "dunlin.toml"]);
    assert!(!home.path().join("state").exists(), "nothing is made");
    let said = format!("{}{}", ended.out, ended.err);
    assert!(!said.contains("hunter2"), "{said}");
    ended
}

#[track_caller]
fn check(sinks: &str, code: i32, words: &[&str]) {
    let ended = ask(sinks);
    assert_eq!(ended.code, Some(code), "{}{}", ended.out, ended.err);
    for word in words {
        assert!(ended.out.contains(word), "{word}: {}", ended.out);
    }
}

#[test]
fn a_password_and_a_database_are_looked_at() {
    if lacks("influxd") {
        return;
    }
    let mut influxd = Influxd::start();
    influxd.lock("admin", "hunter2");
    let url = format!("http://127.0.0.1:{}", influxd.port());
    let sink = |database: &str, rest: &str| {
        let head = "[[sinks.influxdb]]\nname = \"s\"\napi = \"v1\"";
        format!("{head}\nurls = [\"{url}\"]\ndatabase = \"{database}\"\n{rest}\n")
    };
    let right = "username = \"admin\"\npassword = \"hunter2\"";
    check(&sink("it", right), 0, &["s (influxdb): good: 204: database \"it\" takes rows (InfluxDB 1."]);
    check(
        &sink("it", "username = \"admin\"\npassword = \"wrong\""),
        78,
        &["refused: 401: ", "authorization failed"],
    );
    check(&sink("it", ""), 78, &["refused: 401: ", "to do: check username, and password or password_file"]);
    check(&sink("gone", right), 0, &["unsure: database \"gone\" is not there yet", "create_database"]);
    let no_policy = format!("{right}\nretention_policy = \"none\"");
    check(&sink("it", &no_policy), 78, &["retention policy not found: none", "leave out retention_policy"]);
    let not_created = format!("{right}\ncreate_database = false");
    check(&sink("gone", &not_created), 78, &["to do: create database \"gone\" there"]);
    let v2 = format!("[[sinks.influxdb]]\nname = \"v2\"\nurls = [\"{url}\"]\norg = \"o\"\nbucket = \"b\"\n");
    check(&v2, 78, &["to do: is it InfluxDB 2?"]);
    check(
        &v2.replace("name =", "api = \"v3\"\ndatabase = \"d\"\nname =")
            .replace("org = \"o\"\nbucket = \"b\"\n", ""),
        78,
        &["to do: is it InfluxDB 3?"],
    );
    check(
        &sink("it", "proxy = \"http://127.0.0.1:1\""),
        69,
        &["no answer: the proxy cannot be reached: ", "in proxy"],
    );
    influxd.stop();
    check(&sink("it", right), 69, &["s (influxdb): no answer: ", "to do: nothing listens at this port"]);
}

#[test]
fn certificates_are_explained() {
    if lacks("nginx") || lacks("influxd") {
        return;
    }
    let influxd = Influxd::start();
    let nginx = Nginx::start(influxd.port());
    let sink = |scheme: &str, tls: &[(&str, &str)]| {
        let port = nginx.port;
        let head = format!(
            "[[sinks.influxdb]]\nname = \"s\"\napi = \"v1\"\ndatabase = \"it\"\nurls = [\"{scheme}://localhost:{port}\"]"
        );
        let tls: Vec<_> =
            tls.iter().map(|(key, file)| format!("tls.{key} = \"{}\"", certificate(file))).collect();
        format!("{head}\n{}\n", tls.join("\n"))
    };
    let all = [("ca_file", "ca.pem"), ("cert_file", "client.pem"), ("key_file", "client.key")];
    check(&sink("https", &all), 0, &["good: 204"]);
    check(&sink("https", &all[1..]), 69, &["to do: ", "tls.ca_file"]);
    check(&sink("https", &all[..1]), 78, &["No required SSL certificate was sent", "tls.cert_file"]);
    check(&sink("http", &[]), 78, &["write https:// into the URL"]);
}

#[test]
fn another_server_of_version_2_is_good() {
    if lacks("victoria-metrics") {
        return;
    }
    let victoria = Victoria::start();
    let url = format!("http://127.0.0.1:{}", victoria.port());
    let sink = format!("[[sinks.influxdb]]\nname = \"s\"\nurls = [\"{url}\"]\norg = \"o\"\nbucket = \"b\"\n");
    check(&sink, 0, &["s (influxdb): good: 204: bucket \"b\" of \"o\" takes rows"]);
}
