//! How request bodies are compressed.

use std::io::Write;

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

impl Compression {
    /// For servers that are known to take gzip.
    pub const GZIP_OR_NONE: &[(&str, Self)] = &[("gzip", Self::Gzip), ("none", Self::None)];
    /// For servers of which nothing is known.
    pub const NONE_OR_ANY: &[(&str, Self)] =
        &[("none", Self::None), ("gzip", Self::Gzip), ("zstd", Self::Zstd)];

    /// The word for `Content-Encoding`, and the body in that encoding. Nothing stays nothing.
    pub(super) fn apply(self, body: Vec<u8>) -> (Option<&'static str>, Vec<u8>) {
        let packed = match self {
            _ if body.is_empty() => None,
            Self::None => None,
            Self::Gzip => gzip(&body).map(|packed| ("gzip", packed)),
            Self::Zstd => zstd::bulk::compress(&body, ZSTD_LEVEL).ok().map(|packed| ("zstd", packed)),
        };
        // Compressing in memory does not fail; if it did, the body itself is as good.
        packed.map_or((None, body), |(encoding, packed)| (Some(encoding), packed))
    }
}

fn gzip(body: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::Compression;

    #[test]
    fn a_body_comes_out_as_it_went_in() {
        let body = b"cpu usage=1 1\n".repeat(100);
        let (encoding, packed) = Compression::Gzip.apply(body.clone());
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut plain).unwrap();
        assert_eq!((encoding, &plain), (Some("gzip"), &body));
        let (encoding, packed) = Compression::Zstd.apply(body.clone());
        let plain = zstd::bulk::decompress(&packed, 1 << 20).unwrap();
        assert_eq!((encoding, &plain), (Some("zstd"), &body));
        assert_eq!(Compression::None.apply(body.clone()), (None, body));
        assert_eq!(Compression::Gzip.apply(Vec::new()), (None, Vec::new()));
    }
}
