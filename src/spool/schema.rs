//! Opening the file: pragmas, and the migrations that bring an older one up to date.

use std::cmp::Ordering;
use std::ops::Not;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::disk::{self, Room};
use super::ledger::unsigned;
use super::private;
use super::quarantine::with_suffix;
use super::{Durability, SpoolError};

/// Every migration there ever was, in order. Files are only ever added.
const MIGRATIONS: [&str; 5] = [
    include_str!("../../migrations/0001_spool.sql"),
    include_str!("../../migrations/0002_rejected.sql"),
    include_str!("../../migrations/0003_clock.sql"),
    include_str!("../../migrations/0004_blocks.sql"),
    include_str!("../../migrations/0005_kind.sql"),
];

/// The format that this program writes.
pub(super) const VERSION: i64 = 5;

/// Three to five pages besides those of a frame are written for every commit, most of each for nothing: pages four
/// times as large cost a third more of what goes to the disk with a hundred containers, and twice as much with none.
/// A file that has larger ones keeps them.
const PRAGMAS: &str = "
    PRAGMA page_size = 1024;
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA journal_mode = WAL;
    PRAGMA cache_size = -1024;
    PRAGMA temp_store = MEMORY;
    PRAGMA foreign_keys = ON;
";

/// More than a tick and a delivery take together: with fewer, each drives out the next one's, and all are
/// compiled again at every tick.
const STATEMENTS: usize = 96;

/// Opens the file for writing, makes it if there is none, migrates it if it is older.
pub(super) fn open(path: &Path, durability: Durability) -> Result<Connection, SpoolError> {
    let failed = |source| SpoolError::Sqlite { path: path.to_owned(), source };
    // Why a file cannot be made, SQLite finds out again.
    let _ = private::make(path);
    let mut connection = Connection::open(path).map_err(failed)?;
    connection.busy_timeout(std::time::Duration::from_secs(5)).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Else a statement is compiled again whenever a number that is handed to it is another one than before.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(failed)?;
    connection.execute_batch(PRAGMAS).map_err(failed)?;
    set_durability(&connection, durability).map_err(failed)?;
    let page = connection.pragma_query_value(None, "page_size", |row| row.get(0)).map(unsigned);
    let page = page.map_err(failed)?;
    let log = disk::pages_of_log(Room::beside(path), page);
    let size = log.saturating_mul(page);
    let log = format!("PRAGMA wal_autocheckpoint = {log}; PRAGMA journal_size_limit = {size};");
    connection.execute_batch(&log).map_err(failed)?;
    // A transaction that begins by reading must not find later that another has written meanwhile.
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    let found = version(&connection).map_err(failed)?;
    if found > VERSION {
        return Err(SpoolError::Newer { path: path.to_owned(), found, known: VERSION });
    }
    let done = usize::try_from(found).unwrap_or(0);
    for (number, migration) in (1_i64..).zip(MIGRATIONS).skip(done) {
        let change = connection.transaction().map_err(failed)?;
        change.execute_batch(migration).map_err(failed)?;
        change.pragma_update(None, "user_version", number).map_err(failed)?;
        change.commit().map_err(failed)?;
    }
    Ok(connection)
}

/// Decides what a commit survives from now on.
pub(super) fn set_durability(connection: &Connection, durability: Durability) -> rusqlite::Result<()> {
    let synchronous = match durability {
        Durability::Process => "NORMAL",
        Durability::Power => "FULL",
    };
    connection.pragma_update(None, "synchronous", synchronous)
}

/// Opens a spool to look into, beside the agent that may be writing it.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, SpoolError> {
    let failed = |source| SpoolError::Sqlite { path: path.to_owned(), source };
    look_at(path)?;
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let open = |how: &str| {
        let connection = Connection::open_with_flags(uri(path, how), flags)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        version(&connection).map(|found| (connection, found))
    };
    let cannot = |error: &rusqlite::Error| {
        matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
    };
    let opened = match open("") {
        // In a folder that nothing can be written to: nobody changes it, but what is in a log is not in it.
        Err(error) if cannot(&error) && ["-wal", "-journal"].iter().all(|side| is_empty(path, side)) => {
            open("?immutable=1").map_err(|_| error)
        }
        // What a killed agent left half done is undone first.
        Err(error) if cannot(&error) => {
            let mended = open_to_change(path).is_ok_and(|connection| version(&connection).is_ok());
            if !mended {
                return Err(SpoolError::Unfinished { path: path.to_owned() });
            }
            open("").map_err(|_| error)
        }
        opened => opened,
    };
    let (connection, found) = opened.map_err(failed)?;
    match found.cmp(&VERSION) {
        Ordering::Equal => Ok(connection),
        // An agent that was killed while it made the file.
        Ordering::Less if found == 0 => Err(SpoolError::Missing { path: path.to_owned() }),
        Ordering::Less => Err(SpoolError::Older { path: path.to_owned(), found, known: VERSION }),
        Ordering::Greater => Err(SpoolError::Newer { path: path.to_owned(), found, known: VERSION }),
    }
}

/// Opens a file that is damaged, of whatever format, to read what it still gives.
pub(super) fn open_damaged(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // Where the tables' definitions are sound, their rows may be read however odd a page is.
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Opens a spool that is there and up to date, to change something in it beside the agent.
pub(super) fn open_to_change(path: &Path) -> Result<Connection, SpoolError> {
    let failed = |source| SpoolError::Sqlite { path: path.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(std::time::Duration::from_secs(5)).map_err(failed)?;
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    Ok(connection)
}

/// Says why a spool cannot be read, in the system's words: SQLite does not tell.
fn look_at(path: &Path) -> Result<(), SpoolError> {
    #[expect(clippy::disallowed_methods, reason = "the spool is ours, not a file of the watched machine")]
    let opened = std::fs::File::open(path).and_then(|file| file.metadata());
    match opened {
        Ok(data) if data.is_dir() => {
            let source = std::io::ErrorKind::IsADirectory.into();
            Err(SpoolError::File { path: path.to_owned(), source })
        }
        Ok(_) => Ok(()),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
            Err(SpoolError::Missing { path: path.to_owned() })
        }
        Err(source) => Err(SpoolError::File { path: path.to_owned(), source }),
    }
}

/// Whether there is nothing in a file beside a spool.
fn is_empty(spool: &Path, side: &str) -> bool {
    #[expect(clippy::disallowed_methods, reason = "the spool is ours, not a file of the watched machine")]
    std::fs::metadata(with_suffix(spool, side)).is_ok_and(|data| data.len() > 0).not()
}

/// A path as SQLite's URIs have it.
fn uri(path: &Path, parameters: &str) -> String {
    let letter = |byte: &u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => char::from(*byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    let path: String = path.as_os_str().as_bytes().iter().map(letter).collect();
    format!("file:{path}{parameters}")
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::{MIGRATIONS, VERSION, open, open_to_read, version};
    use crate::spool::{Durability, SpoolError};

    #[test]
    fn the_log_is_no_longer_whatever_the_pages_are() {
        for page in [1024_i64, 8192] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("spool.db");
            let old = Connection::open(&path).unwrap();
            old.pragma_update(None, "page_size", page).unwrap();
            old.execute_batch(MIGRATIONS[0]).unwrap();
            old.pragma_update(None, "user_version", 1).unwrap();
            drop(old);
            let new = open(&path, Durability::Process).unwrap();
            let ask = |name| new.pragma_query_value::<i64, _>(None, name, |row| row.get(0)).unwrap();
            assert_eq!(ask("page_size"), page);
            assert!(ask("wal_autocheckpoint") * page <= 400 * 8192, "{page}");
        }
    }

    #[test]
    fn every_older_file_is_brought_up_to_date_with_what_is_in_it() {
        for (done, from) in (0_i64..).zip(0..MIGRATIONS.len()) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("spool.db");
            let old = Connection::open(&path).unwrap();
            for migration in &MIGRATIONS[..from] {
                old.execute_batch(migration).unwrap();
            }
            old.pragma_update(None, "user_version", done).unwrap();
            if done > 0 {
                old.execute("INSERT INTO sinks (name, delivered) VALUES ('a', 7)", []).unwrap();
                assert!(matches!(open_to_read(&path), Err(SpoolError::Older { .. })));
            }
            drop(old);
            let new = open(&path, Durability::Process).unwrap();
            assert_eq!(version(&new).unwrap(), VERSION);
            let kept: i64 =
                new.query_row("SELECT ifnull(sum(delivered), 0) FROM sinks", [], |row| row.get(0)).unwrap();
            assert_eq!(kept, if done > 0 { 7 } else { 0 });
        }
    }
}
