//! Forgetting a sink that is not configured any more: its backlog was kept in case it comes back.

use std::path::Path;

use super::ledger::{require_sink, unsigned};
use super::{SpoolError, schema};

/// Rows that wait for a sink.
const WAITING: &str = "SELECT ifnull(sum(samples - iif(seq = first, skip, 0)), 0)
     FROM pending JOIN frames ON seq >= first AND seq <= ifnull(last, seq) WHERE sink = ?1";

/// Forgets a sink with all that is known of it, beside the agent; gives the rows that waited for it.
pub fn forget(path: &Path, sink: &str) -> Result<u64, SpoolError> {
    let failed = |source| SpoolError::Sqlite { path: path.to_owned(), source };
    schema::open_to_read(path)?;
    let mut connection = schema::open_to_change(path)?;
    // What hangs on it goes with it.
    connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
    let change = connection.transaction().map_err(failed)?;
    let id = require_sink(&change, sink).map_err(failed)??;
    let is_active = change.query_row("SELECT active FROM sinks WHERE id = ?1", [id], |row| row.get(0));
    if is_active.map_err(failed)? {
        return Err(SpoolError::Active { name: sink.to_owned() });
    }
    let samples = change.query_row(WAITING, [id], |row| row.get(0)).map_err(failed)?;
    change.execute("DELETE FROM sinks WHERE id = ?1", [id]).map_err(failed)?;
    change.commit().map_err(failed)?;
    Ok(unsigned(samples))
}
