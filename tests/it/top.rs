//! `dunlin top`: on a terminal, which it gives back as it was, and for a pipe.

use std::fs::{self, File};
use std::io::Write;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Home, binary, wait_for};

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
    fn is_given_back(mut self) {
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
    top.is_given_back();
}

#[test]
fn a_signal_gives_the_terminal_back() {
    for signal in [Signal::INT, Signal::TERM] {
        let top = OnTerminal::start(Home::new(CONFIG), "--interval 1s");
        top.wait_for("own readings, every 1s");
        kill_process(top.pid(), signal).unwrap();
        top.is_given_back();
    }
    // The same from the keyboard.
    let mut top = OnTerminal::start(Home::new(CONFIG), "--interval 1s");
    top.wait_for("own readings, every 1s");
    top.press(&[3]);
    top.is_given_back();
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
