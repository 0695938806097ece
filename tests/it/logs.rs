//! What the agent says: to a real systemd-journald with its fields, on standard error as lines that nobody
//! can forge, once where it repeats, and never a secret.

use std::fs;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{FakeHost, FaultServer, Home, Server, binary, lacks, wait_for};

/// Starts a journald of its own, whose files are below `run`, and the agent twice under it as systemd
/// would; before the second time the journal's socket goes away.
const UNDER_JOURNALD: &str = r#"
mkdir run
mount --bind run /run
mount -t tmpfs tmpfs /var/log
mkdir -p /run/systemd/journal
/lib/systemd/systemd-journald &
until test -S /run/systemd/journal/stdout; do sleep 0.05; done
for number in 1 2; do
  systemd-cat sh -c 'export JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2)
    echo $$ > pid.new && mv pid.new pid.'$number'
    exec "$0" run --config dunlin.toml' "$0"
  mv /run/systemd/journal/socket /run/systemd/journal/gone || true
done
journalctl --sync
kill $!
wait
"#;

/// A sink that posts to a server of the test.
fn hook(name: &str, port: u16, more: &str) -> String {
    format!(
        "[[sinks.webhook]]\nname = \"{name}\"\nurl = \"http://127.0.0.1:{port}/\"\n\
         flush_interval = \"0s\"\nretry_max_delay = \"100ms\"\n{more}"
    )
}

#[test]
fn the_journal_gets_priorities_and_fields() {
    if lacks("systemd-journald") {
        return;
    }
    let host = FakeHost::new();
    let server = FaultServer::start(|_| (500, "down\n<0>forged".to_owned()));
    let home = Home::new(&format!("{}{}", host.settings("200ms"), hook("central", server.port, "")));
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-ec", UNDER_JOURNALD]).arg(binary()).current_dir(home.path());
    let mut script = Server::start("journald", &mut command, home.path());
    for number in 1..=2 {
        let asked = server.exchanges().len();
        let path = home.path().join(format!("pid.{number}"));
        let id = wait_for("the agent", || fs::read_to_string(&path).ok()?.trim().parse().ok());
        wait_for("a request", || (server.exchanges().len() > asked + 2).then_some(()));
        kill_process(Pid::from_raw(id).unwrap(), Signal::TERM).unwrap();
        wait_for("its end", || (!fs::exists(format!("/proc/{id}")).unwrap()).then_some(()));
    }
    assert!(script.wait(crate::support::patience()).success(), "{}", script.last_words());

    let output = Command::new("journalctl")
        .args(["--output", "json", "--directory"])
        .arg(home.path().join("run/log/journal"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let entries: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said = |words: &str, transport: &str| {
        let found = entries.iter().find(|entry| {
            entry["_TRANSPORT"] == transport
                && entry["MESSAGE"].as_str().is_some_and(|text| text.contains(words))
        });
        found.unwrap_or_else(|| panic!("no {words:?} by {transport}: {text}"))
    };
    for transport in ["journal", "stdout"] {
        assert_eq!(said("dunlin starts version=", transport)["PRIORITY"], "6");
        let trouble = said("cannot deliver; rows are kept", transport);
        assert_eq!(trouble["PRIORITY"], "4", "{trouble}");
        let message = trouble["MESSAGE"].as_str().unwrap();
        assert!(message.starts_with("cannot") && message.contains("sink=central"), "{message}");
    }
    let trouble = said("cannot deliver; rows are kept", "journal");
    assert_eq!(trouble["SYSLOG_IDENTIFIER"], "dunlin");
    assert_eq!(trouble["DUNLIN_SINK"], "central");
    assert_eq!(trouble["DUNLIN_REASON"], "the server answered 500: down <0>forged");
}

#[test]
fn what_repeats_is_summed_up_and_no_line_is_forged() {
    let host = FakeHost::new();
    let mut turn = 0;
    let server = FaultServer::start(move |_| {
        turn += 1;
        (if turn % 2 == 0 { 200 } else { 503 }, "\u{1b}[2Jno\nERROR forged".to_owned())
    });
    let name = r"a\nERROR \u001b[31m";
    let home = Home::new(&format!("{}{}", host.settings("100ms"), hook(name, server.port, "")));
    let mut agent = home.run();
    wait_for("some trouble", || (server.exchanges().len() > 12).then_some(()));
    assert!(agent.server.stop().success(), "{}", agent.server.last_words());
    let log = agent.server.err();
    assert!(log.bytes().all(|byte| byte == b'\n' || !byte.is_ascii_control()), "{log}");
    let of = |words: &str| log.lines().filter(|line| line.contains(words)).collect::<Vec<_>>();
    for words in ["cannot deliver; rows are kept", "delivering again"] {
        let lines = of(words);
        assert_eq!(lines.len(), 2, "{words}: {log}");
        assert!(lines[1].contains(" times more within the last minute)"), "{log}");
        assert!(lines[0].contains(r#"sink="a\\nERROR \\u{1b}[31m""#), "{log}");
    }
    assert!(of("delivering again")[0].contains(" after=") && log.contains(" failed_attempts=1 "), "{log}");
    assert!(log.lines().all(|line| line.starts_with("20")), "{log}");
}

/// In every secret below, plain or in base64.
const CANARY: &str = "c4nary";
const SETTINGS: &str = r#"
[log]
level = "debug"
format = "FORMAT"
[[sinks.influxdb]]
name = "two"
urls = ["http://127.0.0.1:PORT"]
api = "v2"
org = "o"
bucket = "b"
token = "c4nary/token=="
[[sinks.influxdb]]
name = "one"
urls = ["http://127.0.0.1:PORT"]
api = "v1"
database = "it"
username = "ann"
password_file = "./password"
[[sinks.influxdb]]
name = "three"
urls = ["http://127.0.0.1:PORT"]
api = "v3"
database = "it"
token_file = "./token"
[[sinks.webhook]]
name = "hook"
url = "http://127.0.0.1:PORT/services/T00/c4nary-in-the-path?key=c4nary-in-the-query"
secret = "c4nary, a secret of a webhook, quite long"
token = "${SECRET_TOKEN}"
[sinks.webhook.headers]
x-api-key = "c4nary in a header"
[[sinks.webhook]]
name = "user"
url = "http://c4nary-as-a-user@127.0.0.1:PORT/"
[[sinks.webhook]]
name = "proxied"
url = "http://example.com/"
proxy = "http://joe:c4nary-of-a-proxy@127.0.0.1:PORT"
"#;
/// `ann:`, `joe:` and `c4nary-as-a-user:` as Basic has them.
const BASIC: [&str; 3] = ["YW5uOmM0", "am9lOmM0", "YzRuYXJ5LWFz"];

/// A server that quotes in its answers all that it was sent, in as many ways as there are.
fn quoting() -> FaultServer {
    let mut turn = 0;
    FaultServer::start_reading_heads(move |head, body| {
        turn += 1;
        let secret = |line: &&str| {
            let name = line.to_lowercase();
            ["authorization", "proxy-auth", "x-api-key", "post "].iter().any(|start| name.starts_with(start))
        };
        let said = head.lines().filter(secret).collect::<Vec<_>>().join("\n") + body;
        let quoted = Value::from(said.as_str());
        match turn / 6 % 5 {
            0 => (401, said),
            1 => (500, format!("<html><title>{said}</title>")),
            2 => (
                400,
                format!("{{\"error\":{quoted},\"data\":[{{\"line_number\":1,\"error_message\":{quoted}}}]}}"),
            ),
            3 => (200, format!("{{\"rejected\":[{{\"index\":0,\"reason\":{quoted}}}]}}")),
            _ => (503, format!("{{\"error\":{quoted}}}")),
        }
    })
}

#[test]
fn no_secret_is_printed_whatever_servers_answer() {
    let host = FakeHost::new();
    for format in ["text", "json"] {
        let server = quoting();
        let settings = SETTINGS.replace("PORT", &server.port.to_string()).replace("FORMAT", format);
        let every = "\nflush_interval = \"0s\"\nretry_max_delay = \"100ms\"\ncompression = \"none\"\n";
        let settings = settings.replace("]]\n", &format!("]]{every}"));
        let home = Home::new(&(host.settings("200ms") + &settings));
        fs::write(home.path().join("password"), "c4nary pass+word&\n").unwrap();
        fs::write(home.path().join("token"), "c4nary-from-a-file").unwrap();
        let mut command = Command::new(binary());
        command.args(["run", "--config"]).arg(home.config()).current_dir(home.path());
        command.env("SECRET_TOKEN", "c4nary-of-a-variable");
        command.env("HTTPS_PROXY", "http://eve:c4nary-of-the-environment@127.0.0.1:9");
        let mut agent = Server::start("dunlin", &mut command, home.path());
        let mut printed = vec![fs::read_to_string(format!("/proc/{}/cmdline", agent.id())).unwrap()];
        wait_for("each answer to each sink", || (server.exchanges().len() > 90).then_some(()));
        let config = home.config();
        let config = config.to_str().unwrap();
        let path = home.path().join("state/spool.db");
        let path = path.to_str().unwrap();
        let mut say = |words: &[&str]| {
            let ended = home.dunlin(words);
            printed.push(ended.out + &ended.err);
        };
        say(&["check", "--config", config]);
        say(&["run", "--config", config]);
        say(&["spool", "status", "--path", path]);
        say(&["spool", "status", "--format", "json", "--path", path]);
        say(&["spool", "export", "--path", path]);
        for sink in ["one", "two", "three", "hook", "user", "proxied"] {
            say(&["spool", "rejected", "--sink", sink, "--path", path]);
        }
        assert!(agent.stop().success(), "{}", agent.last_words());
        printed.extend([agent.out(), agent.err()]);
        let all = printed.concat();
        for secret in BASIC.iter().chain([&CANARY]) {
            let place = all
                .find(secret)
                .map(|at| all[at.saturating_sub(300)..].chars().take(400).collect::<String>());
            assert_eq!(place, None, "{secret} is printed");
        }
        for said in ["***", "rejected rows for good", "cannot deliver until this is mended"] {
            assert!(all.contains(said), "{all}");
        }
    }
}
