//! What the spool has of a frame's rows: bytes of its own, which may stand on another frame's, or a place in a block.

use std::sync::Arc;

use super::block::Block;
use super::frame::decode;
use crate::metric::{Sample, UnixNanos};

/// A frame's rows as the spool has them.
#[derive(Debug, Clone)]
pub enum Payload {
    /// Its own.
    Own(Arc<Written>),
    /// Sealed with others, by an older dunlin.
    Sealed {
        /// The block.
        block: Arc<[u8]>,
        /// How many frames share it.
        frames: u64,
    },
    /// So many bytes that were not looked up: memory has the rows.
    Left(u64),
}

/// Bytes of a frame.
#[derive(Debug)]
pub struct Written {
    /// Its number.
    pub(super) seq: i64,
    /// As they are in the file.
    pub(super) bytes: Vec<u8>,
    /// The frame that it stands on, if it does and that is there.
    pub(super) base: Option<Arc<Self>>,
}

impl Payload {
    /// Its bytes, or its share of the block.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Own(written) => written.bytes.len() as u64,
            Self::Sealed { block, frames } => block.len() as u64 / (*frames).max(1),
            Self::Left(bytes) => *bytes,
        }
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Own(Arc::new(Written { seq: 0, bytes, base: None }))
    }
}

/// Reads frames in order, opening once each block, and each frame that others stand on.
#[derive(Default)]
pub struct Reading {
    open: Option<(Arc<[u8]>, Block)>,
    /// Frames that were read, each on the one before it.
    read: Vec<(Arc<Written>, Block)>,
}

impl Reading {
    /// The rows of a frame; the error says what is odd.
    pub fn read(&mut self, seq: i64, first: UnixNanos, payload: &Payload) -> Result<Vec<Sample>, String> {
        let wanted = match payload {
            Payload::Own(written) if Block::is_packed(&written.bytes) => return self.packed(first, written),
            Payload::Own(written) => return decode(&written.bytes, first),
            Payload::Sealed { block, .. } => block,
            Payload::Left(_) => return Err("its payload was not looked up".into()),
        };
        if !self.open.as_ref().is_some_and(|(own, _)| Arc::ptr_eq(own, wanted)) {
            let block =
                Block::open(wanted).map_err(|reason| format!("its block cannot be read: {reason}"))?;
            self.open = Some((wanted.clone(), block));
        }
        let Some((_, block)) = &mut self.open else { return Err("its block is not open".into()) };
        block.read(seq, first)
    }

    fn packed(&mut self, first: UnixNanos, wanted: &Arc<Written>) -> Result<Vec<Sample>, String> {
        let mut block = self.on_base(wanted)?;
        let rows = block.read_packed(first)?;
        self.read.push((wanted.clone(), block));
        Ok(rows)
    }

    /// Opens a frame on what it stands on; only that is in `read` then.
    fn on_base(&mut self, wanted: &Arc<Written>) -> Result<Block, String> {
        let Some(base) = &wanted.base else {
            self.read.clear();
            return Block::on(None, &wanted.bytes);
        };
        let at = self.read.iter().rposition(|(own, _)| Arc::ptr_eq(own, base));
        if let Some(at) = at {
            self.read.truncate(at.saturating_add(1));
        } else {
            let of_base =
                |reason| format!("frame {}, which it stands on, cannot be read: {reason}", base.seq);
            let mut block = self.on_base(base).map_err(of_base)?;
            block.pass().map_err(of_base)?;
            self.read.push((base.clone(), block));
        }
        let base = self.read.last().map(|(base, block)| (base.bytes.as_slice(), block));
        Block::on(base, &wanted.bytes)
    }
}
