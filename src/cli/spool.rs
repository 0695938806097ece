//! `dunlin spool`: looks into a spool and repairs it, also while the agent writes it.

mod export;
mod forget;
mod rejected;
mod replay;
mod status;
mod verify;

use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use rustix::fs::Access;
use rustix::io::Errno;

use super::check::say_mistakes;
use super::{DEFAULT_CONFIG, Exit, complain, moment};
use crate::clock::{Clock, SystemClock};
use crate::config;
use crate::metric::UnixNanos;
use crate::spool::SpoolError;

/// What to do with the spool.
#[derive(Debug, Subcommand)]
pub(super) enum SpoolCommand {
    /// How full it is, and for every sink what became of its samples.
    #[command(
        after_help = "Examples:\n  dunlin spool status\n  dunlin spool status --path /var/lib/dunlin/spool.db --format json"
    )]
    Status(status::StatusArgs),
    /// Rows that a server refused for good, with its reason.
    #[command(
        after_help = "Examples:\n  dunlin spool rejected --sink central\n  dunlin spool rejected --sink central --requeue\n  dunlin spool rejected --sink central --purge"
    )]
    Rejected(rejected::RejectedArgs),
    /// Sends again what the spool still holds: into a database that is new, or was emptied.
    #[command(
        after_help = "Examples:\n  dunlin spool replay --sink central --since 2h\n  dunlin spool replay --sink central --since 2026-01-31T12:00:00Z --until 2026-01-31T13:00:00Z"
    )]
    Replay(replay::ReplayArgs),
    /// Prints rows: all that it holds, or what a sink has not settled yet.
    #[command(
        after_help = "Examples:\n  dunlin spool export --since 2h > rows.txt\n  dunlin spool export --sink central --format ndjson | gzip > backlog.gz"
    )]
    Export(export::ExportArgs),
    /// Forgets a sink that is not configured any more, with its backlog, which is kept otherwise until it
    /// is too old.
    #[command(after_help = "Example:\n  dunlin spool drop oldcentral")]
    Drop(forget::DropArgs),
    /// Looks whether the file, every frame in it and the books are sound.
    #[command(after_help = "Example:\n  dunlin spool verify --path /mnt/rescued/spool.db")]
    Verify(verify::VerifyArgs),
}

/// Which spool.
#[derive(Debug, Args)]
struct Place {
    /// The configuration that names the spool.
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    config: PathBuf,
    /// The spool itself; the configuration is not read then.
    #[arg(long, value_name = "FILE")]
    path: Option<PathBuf>,
}

impl Place {
    fn path(&self) -> Result<PathBuf, Exit> {
        match &self.path {
            Some(path) => Ok(path.clone()),
            None => config::load(&self.config)
                .map(|config| config.spool.path)
                .map_err(|mistakes| say_mistakes(&mistakes)),
        }
    }

    /// Whether it is that of the service, which whoever asks may not read.
    fn is_closed(&self) -> bool {
        let is_closed = |path: &Path| rustix::fs::access(path, Access::READ_OK) == Err(Errno::ACCESS);
        let spool = || config::load(&self.config).is_ok_and(|config| is_closed(&config.spool.path));
        let is_the_services = self.path.is_none() && self.config == Path::new(DEFAULT_CONFIG);
        is_the_services && (is_closed(&self.config) || spool())
    }
}

/// Which rows, by their time.
#[derive(Debug, Args)]
struct Span {
    /// Only rows from this moment on: a time, or how long ago.
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Only rows before this moment.
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
}

impl Span {
    fn time(&self) -> Result<Range<UnixNanos>, String> {
        let now = SystemClock.now();
        let moment = |text: &Option<String>, default| match text {
            Some(text) => moment::parse(text, now),
            None => Ok(UnixNanos(default)),
        };
        let time = moment(&self.since, i64::MIN)?..moment(&self.until, i64::MAX)?;
        if time.is_empty() {
            return Err(
                "there is no time between --since and --until; expected --since to be the earlier one".into(),
            );
        }
        Ok(time)
    }
}

/// Does it.
pub(super) fn spool(command: &SpoolCommand) -> Exit {
    let done = match command {
        SpoolCommand::Status(args) if args.place.is_closed() => return status::of_agent(args),
        SpoolCommand::Status(args) => args.place.path().map(|path| status::status(&path, args)),
        SpoolCommand::Rejected(args) => args.place.path().map(|path| rejected::rejected(&path, args)),
        SpoolCommand::Replay(args) => args.place.path().map(|path| replay::replay(&path, args)),
        SpoolCommand::Export(args) => args.place.path().map(|path| export::export(&path, args)),
        SpoolCommand::Drop(args) => args.place.path().map(|path| forget::drop_sink(&path, args)),
        SpoolCommand::Verify(args) => args.place.path().map(|path| verify::verify(&path)),
    };
    match done {
        Ok(Ok(exit)) | Err(exit) => exit,
        Ok(Err(error @ SpoolError::Missing { .. })) => complain(Exit::Unavailable, &error.to_string()),
        Ok(Err(error @ (SpoolError::UnknownSink { .. } | SpoolError::Active { .. }))) => {
            complain(Exit::Usage, &error.to_string())
        }
        Ok(Err(error)) => complain(Exit::Io, &error.to_string()),
    }
}
