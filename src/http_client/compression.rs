//! How request bodies are compressed.

use std::io::Write;

use bytes::Bytes;
use flate2::write::GzEncoder;

/// A compression of request bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1952; every server of metrics takes it.
    Gzip,
    /// RFC 8878: smaller and cheaper, where the server takes it.
    Zstd,
    /// None.
    None,
}

/// The level of zstd that is meant for general use.
const ZSTD_LEVEL: i32 = 3;
/// So much text is compressed at once.
const PIECE: usize = 64 << 10;

impl Compression {
    /// For servers that are known to take gzip.
    pub const GZIP_OR_NONE: &[(&str, Self)] = &[("gzip", Self::Gzip), ("none", Self::None)];
    /// For servers of which nothing is known.
    pub const NONE_OR_ANY: &[(&str, Self)] =
        &[("none", Self::None), ("gzip", Self::Gzip), ("zstd", Self::Zstd)];
}

/// A request body as it is sent. Copies share the bytes.
#[derive(Debug, Clone, Default)]
pub struct Body {
    /// The word for `Content-Encoding`.
    pub(super) encoding: Option<&'static str>,
    pub(super) bytes: Bytes,
}

/// A body in the making. For gzip it is compressed piece by piece, so that the text of a batch,
/// some megabytes, is never in memory as a whole.
#[derive(Debug)]
pub struct BodyWriter {
    compression: Compression,
    /// Not compressed yet.
    plain: Vec<u8>,
    gzip: Option<GzEncoder<Vec<u8>>>,
    is_empty: bool,
}

impl BodyWriter {
    pub(super) fn new(compression: Compression) -> Self {
        let gzip = || GzEncoder::new(Vec::new(), flate2::Compression::new(6));
        let gzip = (compression == Compression::Gzip).then(gzip);
        Self { compression, plain: Vec::new(), gzip, is_empty: true }
    }

    /// Lets `write` append to the body; tells whether it did.
    pub fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let before = self.plain.len();
        write(&mut self.plain);
        let more = self.plain.len() > before;
        self.is_empty &= !more;
        if self.gzip.is_some() && self.plain.len() >= PIECE {
            self.pack();
        }
        more
    }

    /// The body. Nothing stays nothing.
    pub fn finish(mut self) -> Body {
        self.pack();
        let packed = match (self.gzip, self.compression) {
            _ if self.is_empty => None,
            (Some(gzip), _) => gzip.finish().ok().map(|packed| ("gzip", packed)),
            (None, Compression::Zstd) => {
                zstd::bulk::compress(&self.plain, ZSTD_LEVEL).ok().map(|packed| ("zstd", packed))
            }
            (None, _) => None,
        };
        // Compressing in memory does not fail; without zstd the body itself is as good.
        let (encoding, bytes) =
            packed.map_or((None, self.plain), |(encoding, packed)| (Some(encoding), packed));
        Body { encoding, bytes: bytes.into() }
    }

    /// Hands what was written so far to gzip.
    fn pack(&mut self) {
        if let Some(gzip) = &mut self.gzip {
            let packed = gzip.write_all(&self.plain);
            debug_assert!(packed.is_ok(), "compressing in memory does not fail");
            self.plain.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::{Body, BodyWriter, Compression, PIECE};

    fn written(compression: Compression, pieces: &[&[u8]]) -> Body {
        let mut writer = BodyWriter::new(compression);
        for piece in pieces {
            assert_eq!(writer.append(|out| out.extend_from_slice(piece)), !piece.is_empty());
        }
        writer.finish()
    }

    #[test]
    fn a_body_comes_out_as_it_went_in() {
        let line = b"cpu usage=1 1\n";
        for count in [1, PIECE / line.len(), 3 * PIECE / line.len()] {
            let pieces = vec![&line[..]; count];
            let body = line.repeat(count);
            let packed = written(Compression::Gzip, &pieces);
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(&packed.bytes[..]).read_to_end(&mut plain).unwrap();
            assert_eq!((packed.encoding, &plain), (Some("gzip"), &body));
            let packed = written(Compression::Zstd, &pieces);
            let plain = zstd::bulk::decompress(&packed.bytes, 1 << 20).unwrap();
            assert_eq!((packed.encoding, &plain), (Some("zstd"), &body));
            let plain = written(Compression::None, &pieces);
            assert_eq!((plain.encoding, &plain.bytes[..]), (None, &body[..]));
        }
        let nothing = written(Compression::Gzip, &[b""]);
        assert!(nothing.encoding.is_none() && nothing.bytes.is_empty());
    }
}
