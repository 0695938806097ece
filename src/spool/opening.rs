//! Taking possession of the spool: nobody else has it, and what is damaged is moved aside.

use std::fs::File;

use super::clocks::Clocks;
use super::private;
use super::quarantine::{move_aside, move_back, with_suffix};
use super::salvage::Damaged;
use super::store::Store;
use super::{Config, SpoolError};
use crate::clock::Clock;

/// Makes the spool this agent's, for as long as the file is held.
pub(super) fn lock(config: &Config) -> Result<File, SpoolError> {
    let path = with_suffix(&config.path, ".lock");
    let failed = |source| SpoolError::File { path: path.clone(), source };
    if let Some(folder) = config.path.parent() {
        private::make_folder(folder)
            .map_err(|source| SpoolError::File { path: folder.to_owned(), source })?;
    }
    let file = private::open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {
            private::close_to_others(&config.path);
            Ok(file)
        }
        Err(std::fs::TryLockError::WouldBlock) => Err(SpoolError::Locked { path: config.path.clone() }),
        Err(std::fs::TryLockError::Error(source)) => Err(SpoolError::File { path, source }),
    }
}

/// Opens the file; one that is damaged is moved aside and a new one begun.
pub(super) fn open(
    config: &Config,
    boot_id: &str,
    sinks: &[String],
    clock: &dyn Clock,
) -> Result<Store, SpoolError> {
    let attempt = || -> Result<Store, SpoolError> {
        let mut store = Store::open(config.clone(), boot_id.to_owned())?;
        store.register(sinks)?;
        Ok(store)
    };
    match attempt() {
        Err(error) if error.is_damage() => replace(config, boot_id, sinks, clock, &error, None),
        opened => opened,
    }
}

/// Moves a damaged file aside, begins a new one, and saves what can be read.
pub(super) fn replace(
    config: &Config,
    boot_id: &str,
    sinks: &[String],
    clock: &dyn Clock,
    error: &SpoolError,
    before: Option<Clocks>,
) -> Result<Store, SpoolError> {
    let aside = move_aside(&config.path, clock.now())?;
    let (spool, moved_to) = (config.path.display(), aside.display());
    tracing::error!(%spool, %moved_to, %error, "the spool is damaged and was moved aside; a new one is begun");
    let damaged = Damaged::open(&aside);
    let begun = Store::begin_after(damaged.as_ref(), config.clone(), boot_id.to_owned(), sinks, before);
    drop(damaged);
    let (store, saved) = begun.inspect_err(|_| move_back(&config.path, &aside))?;
    tracing::error!(
        frames = saved.frames,
        rows = saved.samples,
        no_room_for_more = saved.stopped,
        "so much of the damaged spool could be saved; what else was pending in it counts as dropped"
    );
    Ok(store)
}
