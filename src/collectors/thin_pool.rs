//! Thin pools of the device mapper (LVM's thin LVs, Docker's old `devicemapper` storage): how full they are. One that
//! is full stops everything on it.
//!
//! The figures of `dmsetup status` come from a call that wants unsafe code or a child process. They also stand in
//! the first block of the pool's metadata device, which the kernel writes at least once per second while something
//! changes, and that is what is read: past the page cache, which the kernel does not keep in step with it.
//! Of the metadata the kernel keeps a tenth (4,096 blocks at most) back and says it is used; so does this.
//!
//! A pool is a device mapper device on two others (`/sys/block/dm-*/slaves`), the metadata and the data; it is known by
//! the metadata's magic number and by having the size that stands there. What is not a pool is looked at once, so
//! that no disk is kept awake for nothing.

use std::collections::HashSet;

use super::{CollectError, Collector, Outcome};
use crate::host::{Host, counter};
use crate::metric::{Fields, Monotonic, Rows, Text};
use crate::settings::Section;

/// What it reads.
pub(super) const SUMMARY: &str = "How full the device mapper's thin pools are.";

const BLOCK: &str = "/sys/block";

const MAGIC: u64 = 27_022_010;
const SECTOR: u64 = 512;

/// Blocks of the metadata that the kernel keeps back: a tenth, and this at most.
const MOST_RESERVED: u64 = 4096;

/// Where things stand in the first block; all numbers have the lowest byte first.
const AT_FLAGS: usize = 4;
const AT_MAGIC: usize = 32;
const AT_TRANSACTION: usize = 48;
const AT_DATA: usize = 64;
const AT_METADATA: usize = 192;
const AT_DATA_BLOCK: usize = 336;
const AT_METADATA_BLOCK: usize = 340;

/// Reads thin pools.
pub(super) struct ThinPool {
    /// Devices of which it is known that they are no pools, by device, name and what they stand on.
    others: HashSet<String>,
}

impl ThinPool {
    /// It has no settings.
    pub(super) fn new(_: &Section<'_>) -> Self {
        Self { others: HashSet::new() }
    }

    fn pool(&mut self, host: &Host, device: &str, name: &str) -> Option<Pool> {
        let below = host.list(format!("{BLOCK}/{device}/slaves")).ok().filter(|below| below.len() == 2)?;
        let key = format!("{device} {name} {}", below.join(" "));
        if self.others.contains(&key) {
            return None;
        }
        let size = host.read(format!("{BLOCK}/{device}/size")).ok()?.trim().parse::<u64>().ok()?;
        let blocks: Vec<_> =
            below.iter().map(|below| host.read_first_block(format!("/dev/{below}")).ok()).collect();
        let mut pools = blocks.iter().flatten().filter_map(|block| Pool::parse(block));
        let pool = pools.find(|pool| pool.total.checked_div(SECTOR) == Some(size));
        if pool.is_none() && blocks.iter().all(Option::is_some) {
            self.others.insert(key);
        }
        pool
    }
}

impl Collector for ThinPool {
    fn collect(&mut self, host: &Host, _: Monotonic, rows: &mut Rows) -> Result<Outcome, CollectError> {
        let devices = match host.list(BLOCK) {
            Err(error) if error.is_missing() => Vec::new(),
            names => names?,
        };
        let mut outcome = Outcome::Nothing("there is no thin pool, or it may not be read");
        for device in devices.into_iter().filter(|name| name.starts_with("dm-")) {
            let Ok(name) = host.read(format!("{BLOCK}/{device}/dm/name")) else { continue };
            let name = name.trim().to_owned();
            if let Some(pool) = self.pool(host, &device, &name) {
                let tags = [("name", device), ("dm_name", name)];
                let tags = rows.base().and(tags.map(|(key, value)| (Text::of(key), value.into())));
                rows.add_tagged("thin_pool", tags, pool.fields());
                outcome = Outcome::Read;
            }
        }
        Ok(outcome)
    }
}

/// What the first block of the metadata says, in bytes.
#[derive(Debug, PartialEq, Eq)]
struct Pool {
    total: u64,
    used: u64,
    metadata_total: u64,
    metadata_used: u64,
    transaction_id: u64,
    needs_check: bool,
}

impl Pool {
    fn parse(block: &[u8]) -> Option<Self> {
        let small = |at: usize| Some(u32::from_le_bytes(block.get(at..at.checked_add(4)?)?.try_into().ok()?));
        let large = |at: usize| Some(u64::from_le_bytes(block.get(at..at.checked_add(8)?)?.try_into().ok()?));
        if large(AT_MAGIC)? != MAGIC {
            return None;
        }
        let data_block = u64::from(small(AT_DATA_BLOCK)?).checked_mul(SECTOR)?;
        let metadata_block = u64::from(small(AT_METADATA_BLOCK)?).checked_mul(SECTOR)?;
        // Of both: how many blocks there are, and how many are taken.
        let (blocks, taken) = (large(AT_METADATA)?, large(AT_METADATA + 8)?);
        let reserved = (blocks / 10).min(MOST_RESERVED);
        let used = taken.checked_add(reserved)?.min(blocks);
        Some(Self {
            total: large(AT_DATA)?.checked_mul(data_block)?,
            used: large(AT_DATA + 8)?.checked_mul(data_block)?,
            metadata_total: blocks.checked_mul(metadata_block)?,
            metadata_used: used.checked_mul(metadata_block)?,
            transaction_id: large(AT_TRANSACTION)?,
            needs_check: small(AT_FLAGS)? & 1 == 1,
        })
    }

    fn fields(&self) -> Fields {
        Fields::with_capacity(8)
            .with("total", self.total)
            .with("used", self.used)
            .with("used_percent", counter::percent(self.used, self.total))
            .with("metadata_total", self.metadata_total)
            .with("metadata_used", self.metadata_used)
            .with("metadata_used_percent", counter::percent(self.metadata_used, self.metadata_total))
            .with("transaction_id", self.transaction_id)
            .with("needs_check", self.needs_check)
    }
}

#[cfg(test)]
mod tests {
    use super::Pool;
    use crate::host::Host;

    /// `dmsetup status` at the same moment: `thin-pool 7 831/8192 284/4096`, blocks of 4 and 64 KiB.
    #[test]
    fn figures_are_those_of_dmsetup() {
        let root = format!("{}/tests/fixtures/host/storage/t1", env!("CARGO_MANIFEST_DIR"));
        let block = Host::new(root).read_first_block("/dev/dm-0").unwrap();
        let pool = Pool {
            total: 4096 << 16,
            used: 284 << 16,
            metadata_total: 8192 << 12,
            metadata_used: 831 << 12,
            transaction_id: 7,
            needs_check: false,
        };
        assert_eq!(Pool::parse(&block), Some(pool));
        // Wherever it is cut or odd: nothing or something, never a panic.
        for at in 0..block.len() {
            assert!(at >= 344 || Pool::parse(&block[..at]).is_none());
            let mut other = block.clone();
            other[at] ^= 0xff;
            let _ = Pool::parse(&other).map(|pool| pool.fields());
        }
        assert_eq!(Pool::parse(&[0; 4096]), None);
        assert_eq!(Pool::parse(&[0xff; 4096]), None);
    }
}
