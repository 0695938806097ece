//! `dunlin top`: on a terminal, which it gives back as it was, and for a pipe.

use std::fs::{self, File};
use std::io::Write;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Docker, Home, binary, lacks, wait_for};

const CONFIG: &str = r#"
[agent]
hostname = "shown"
interval = "1s"
state_dir = "state"
[containers]
enabled = false
[[sinks.file]]
name = "out"
path = "rows.txt"
format = "influx"
"#;

/// `dunlin top` on a terminal of its own; then `stty` says how it left that.
struct OnTerminal {
    script: Child,
    home: Home,
}

impl OnTerminal {
    fn start(home: Home, words: &str) -> Self {
        // It writes down its process id and becomes `dunlin top`.
        let inner = format!("echo $$ > pid; exec {} top {words}", binary().display());
        let both = format!("stty rows 30 cols 100; sh -c '{inner}'; echo left with $?; stty -a");
        let out = File::create(home.path().join("screen")).unwrap();
        let mut command = Command::new("script");
        command.args(["-qefc", &both, "/dev/null"]).current_dir(home.path()).env("SHELL", "/bin/sh");
        let script = command.stdin(Stdio::piped()).stdout(out).spawn().unwrap();
        Self { script, home }
    }

    fn screen(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.home.path().join("screen")).unwrap()).into_owned()
    }

    fn wait_for(&self, text: &str) {
        wait_for(text, || self.screen().contains(text).then_some(()));
    }

    fn press(&mut self, keys: &[u8]) {
        self.script.stdin.as_mut().unwrap().write_all(keys).unwrap();
    }

    fn pid(&self) -> Pid {
        let text = fs::read_to_string(self.home.path().join("pid")).unwrap();
        Pid::from_raw(text.trim().parse().unwrap()).unwrap()
    }

    /// Waits for the end, and fails unless the terminal is as it was.
    fn ends_well(mut self) {
        self.wait_for("left with 0");
        wait_for("the end of stty", || self.script.try_wait().unwrap());
        let screen = self.screen();
        let (entered, left) = (screen.find("\u{1b}[?1049h"), screen.rfind("\u{1b}[?1049l"));
        assert!(entered.is_some() && left > entered, "{screen:?}");
        assert!(screen.rfind("\u{1b}[?25h") > entered, "the cursor is back: {screen:?}");
        let (_, modes) = screen.split_once("left with 0").unwrap();
        for mode in ["icanon", "echo", "isig"] {
            assert!(modes.split_ascii_whitespace().any(|word| word == mode), "{mode}: {modes}");
        }
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        self.script.kill().ok();
        self.script.wait().ok();
    }
}

#[test]
fn keys_sort_and_quit() {
    let home = Home::new(CONFIG);
    let _agent = home.run();
    wait_for("a tick", || home.try_accounts()?.first().filter(|sink| sink.get("collected") > 0).map(|_| ()));
    let mut top = OnTerminal::start(home, "--socket run/control.sock");
    top.wait_for("dunlin top: shown");
    top.wait_for("the agent's rows, every 1s");
    top.press(b"mxn");
    top.press(b"q");
    top.ends_well();
}

#[test]
fn a_signal_gives_the_terminal_back() {
    for signal in [Signal::INT, Signal::TERM] {
        let top = OnTerminal::start(Home::new(CONFIG), "--interval 1s");
        top.wait_for("own readings, every 1s");
        kill_process(top.pid(), signal).unwrap();
        top.ends_well();
    }
    // The same from the keyboard.
    let mut top = OnTerminal::start(Home::new(CONFIG), "--interval 1s");
    top.wait_for("own readings, every 1s");
    top.press(&[3]);
    top.ends_well();
}

#[test]
fn one_screen_is_printed_for_a_pipe() {
    let home = Home::new(CONFIG);
    let alone = home.dunlin(["top", "--once", "--interval", "200ms"]);
    assert_eq!(alone.code, Some(0), "{}", alone.err);
    let nobody = home.ask(&["top", "--once"]);
    assert_eq!(nobody.code, Some(69), "{}", nobody.out);

    let _agent = home.run();
    wait_for("a tick", || home.try_accounts()?.first().filter(|sink| sink.get("collected") > 0).map(|_| ()));
    let asked = home.ask(&["top", "--once"]);
    assert_eq!(asked.code, Some(0), "{}", asked.err);
    assert!(asked.out.starts_with("dunlin top: shown, "), "{}", asked.out);
    for screen in [alone.out, asked.out] {
        assert!(!screen.contains('\u{1b}'), "{screen}");
        let cpu = screen.lines().find_map(|line| line.strip_prefix("cpu ")).unwrap();
        let (percent, _) = cpu.trim().split_once('%').unwrap();
        assert!((0.0..=100.0).contains(&percent.parse::<f64>().unwrap()), "{screen}");
        assert!(screen.lines().any(|line| line.starts_with("NAME ") && line.contains("CPU%")), "{screen}");
    }
}

#[test]
fn a_busy_container_comes_first() {
    if lacks("docker") {
        return;
    }
    let docker = Docker::shared();
    let options = ["--network", "none"];
    let idle = docker.run("idle", &options, &["sleep", "1000"]);
    let busy = docker.run("busy", &options, &["sh", "-c", "while :; do :; done"]);
    let config =
        CONFIG.replace("[containers]\nenabled = false\n", &format!("[containers]\n{}", docker.settings()));
    let home = Home::new(&config);
    let _agent = home.run();
    // By name, state and share; the share of one that is busy is there from the second reading on.
    let screen = wait_for("both containers", || {
        let asked = home.ask(&["top", "--once"]);
        let percent = |line: &str| line.split_ascii_whitespace().nth(3)?.parse::<f64>().ok();
        let busy =
            asked.out.lines().position(|line| line.starts_with(&busy.name) && percent(line) > Some(5.0))?;
        let idle = asked.out.lines().position(|line| line.starts_with(&idle.name))?;
        (busy < idle).then_some(asked.out)
    });
    let line = screen.lines().find(|line| line.starts_with(&busy.name)).unwrap();
    let columns: Vec<_> = line.split_ascii_whitespace().collect();
    assert_eq!(columns[1..3], ["docker", "running"], "{screen}");
    assert_eq!(columns.len(), 11, "{screen}");

    // The same containers as a command that reads by itself finds them.
    let all = home.ask_protocol("containers");
    let name = |one: &serde_json::Value| one["name"].as_str().unwrap_or_default().to_owned();
    let names: Vec<_> = all["ok"].as_array().unwrap().iter().map(name).collect();
    assert!(names.contains(&busy.name) && names.contains(&idle.name), "{names:?}");
}
