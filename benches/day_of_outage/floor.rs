//! The least that the bytes could be: the same rows as line protocol, compressed by the tools that
//! anyone has.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use dunlin::encode::line::{self, Unsigned};
use dunlin::metric::Sample;

/// So many successive ticks are looked at together: about one request.
const TOGETHER: u64 = 4;
/// So many are kept together.
pub(crate) const BLOCK: u64 = 16;
/// One such group out of so many ticks.
const EVERY: u64 = 360;
/// The level that zstd takes by itself.
const ZSTD_LEVEL: i32 = 3;

/// Sums over the ticks that were looked at.
pub(crate) struct Floor {
    file: PathBuf,
    ticks: u64,
    lines: Vec<u8>,
    values: u64,
    /// Bytes as lines.
    plain: u64,
    /// Each tick by zstd: what a frame could be.
    frames: u64,
    /// Four ticks by `gzip -6`: what a request could be.
    requests: u64,
    /// Four ticks by zstd: what they could be when kept together.
    together: u64,
    /// A block's ticks by zstd, and the values in them.
    block: u64,
    block_values: u64,
}

impl Floor {
    /// Nothing yet; `file` is for its own use.
    pub(crate) fn new(file: PathBuf) -> Self {
        Self {
            file,
            ticks: 0,
            lines: Vec::new(),
            values: 0,
            plain: 0,
            frames: 0,
            requests: 0,
            together: 0,
            block: 0,
            block_values: 0,
        }
    }

    /// Takes in the rows of the next tick.
    pub(crate) fn look(&mut self, samples: &[Sample]) {
        let place = self.ticks % EVERY;
        self.ticks += 1;
        if place >= BLOCK {
            return;
        }
        let before = self.lines.len();
        for sample in samples {
            line::write(sample, Unsigned::Clip, &mut self.lines);
        }
        let values: u64 = samples.iter().map(|sample| sample.fields.len() as u64).sum();
        self.block_values += values;
        if place == BLOCK - 1 {
            self.block += zstd(&std::mem::take(&mut self.lines));
        }
        if place >= TOGETHER {
            return;
        }
        self.values += values;
        self.frames += zstd(&self.lines[before..]);
        if place == TOGETHER - 1 {
            self.plain += self.lines.len() as u64;
            self.together += zstd(&self.lines);
            fs::write(&self.file, &self.lines).unwrap();
            let packed = Command::new("gzip").args(["-6", "--stdout"]).arg(&self.file).output().unwrap();
            assert!(packed.status.success(), "gzip: {}", String::from_utf8_lossy(&packed.stderr));
            self.requests += packed.stdout.len() as u64;
        }
    }

    /// Bytes per value: as lines, a frame, a request, frames kept together, a block of them.
    pub(crate) fn per_value(&self) -> [f64; 5] {
        let [plain, frame, request, together] = [self.plain, self.frames, self.requests, self.together]
            .map(|bytes| crate::per(bytes, self.values));
        [plain, frame, request, together, crate::per(self.block, self.block_values)]
    }
}

fn zstd(bytes: &[u8]) -> u64 {
    zstd::bulk::compress(bytes, ZSTD_LEVEL).unwrap().len() as u64
}
