//! The terminal: borrowed while it is shown, and given back as it was, however that ends.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Stdout, Write, stdin, stdout};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

use super::screen::{Line, Size};

/// Another screen without a cursor, and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[2J";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
/// Where nobody says how wide it is.
const COLUMNS: usize = 120;

/// The terminal, borrowed.
pub(super) struct Terminal {
    /// How it was; none if keys come from elsewhere.
    before: Option<Termios>,
    out: Stdout,
}

impl Terminal {
    /// Takes it: keys come at once and unseen.
    pub(super) fn take() -> io::Result<Self> {
        let before = if stdin().is_terminal() { Some(tcgetattr(stdin())?) } else { None };
        let terminal = Self { before, out: stdout() };
        if let Some(before) = &terminal.before {
            let mut quiet = before.clone();
            quiet.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
            tcsetattr(stdin(), OptionalActions::Now, &quiet)?;
        }
        terminal.put(ENTER)?;
        Ok(terminal)
    }

    /// Shows these lines and nothing else.
    pub(super) fn draw(&self, lines: &[Line]) -> io::Result<()> {
        let mut text = "\x1b[H".to_owned();
        for (number, line) in lines.iter().enumerate() {
            let (on, off) = if line.is_head { ("\x1b[7m", "\x1b[0m") } else { ("", "") };
            let end = if number == 0 { "" } else { "\r\n" };
            // Writing into memory does not fail.
            let _ = write!(text, "{end}{on}{}{off}\x1b[K", line.text);
        }
        text.push_str("\x1b[J");
        self.put(&text)
    }

    fn put(&self, text: &str) -> io::Result<()> {
        let mut out = self.out.lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may be gone; then there is nothing to give back.
        let _ = self.put(LEAVE);
        if let Some(before) = &self.before {
            let _ = tcsetattr(stdin(), OptionalActions::Now, before);
        }
    }
}

/// How large it is; where there is none, as wide as `COLUMNS` says and as long as it takes.
pub(super) fn size() -> Size {
    let said = || std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    match tcgetwinsize(stdout()) {
        Ok(size) if size.ws_col > 0 => {
            Size { columns: size.ws_col.into(), rows: Some(size.ws_row.into()).filter(|rows| *rows > 0) }
        }
        _ => Size { columns: said().unwrap_or(COLUMNS), rows: None },
    }
}
