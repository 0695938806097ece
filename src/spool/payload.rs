//! What the spool has of a frame's rows: bytes of its own, or a place in a block.

use std::sync::Arc;

use super::block::Block;
use super::frame::decode;
use crate::metric::{Sample, UnixNanos};

/// A frame's rows as the spool has them.
#[derive(Debug, Clone)]
pub enum Payload {
    /// Written alone.
    Own(Vec<u8>),
    /// Sealed with others.
    Sealed {
        /// The block.
        block: Arc<[u8]>,
        /// How many frames share it.
        frames: u64,
    },
}

impl Payload {
    /// Its bytes, or its share of the block.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Own(bytes) => bytes.len() as u64,
            Self::Sealed { block, frames } => block.len() as u64 / (*frames).max(1),
        }
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Own(bytes)
    }
}

/// Reads frames in order, opening each block once.
#[derive(Default)]
pub struct Reading {
    open: Option<(Arc<[u8]>, Block)>,
}

impl Reading {
    /// The rows of a frame; the error says what is odd.
    pub fn read(&mut self, seq: i64, first: UnixNanos, payload: &Payload) -> Result<Vec<Sample>, String> {
        let wanted = match payload {
            Payload::Own(bytes) => return decode(bytes, first),
            Payload::Sealed { block, .. } => block,
        };
        if !self.open.as_ref().is_some_and(|(own, _)| Arc::ptr_eq(own, wanted)) {
            let block =
                Block::open(wanted).map_err(|reason| format!("its block cannot be read: {reason}"))?;
            self.open = Some((wanted.clone(), block));
        }
        let Some((_, block)) = &mut self.open else { return Err("its block is not open".into()) };
        block.read(seq, first)
    }
}
