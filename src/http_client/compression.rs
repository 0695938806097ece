//! How request bodies are compressed.

use std::io::Write;
use std::net::IpAddr;

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
    pub const GZIP_WHERE_IT_PAYS: Choices =
        &[("auto", None), ("gzip", Some(Self::Gzip)), ("none", Some(Self::None))];
    /// For servers of which nothing is known.
    pub const NONE_OR_ANY: Choices =
        &[("none", Some(Self::None)), ("gzip", Some(Self::Gzip)), ("zstd", Some(Self::Zstd))];

    /// What "auto" means: gzip, but where the way to all servers is within this machine. There are no bytes to be
    /// saved, and compressing is a third of what sending costs.
    pub(super) fn fitting(urls: &[String], has_proxy: bool) -> Self {
        let stays_here = !has_proxy && urls.iter().all(|url| is_here(url));
        if stays_here { Self::None } else { Self::Gzip }
    }
}

/// Compressions by the names that users write, the default first; none is "auto".
pub(super) type Choices = &'static [(&'static str, Option<Compression>)];

/// Whether a server is on this machine, as far as its URL tells.
fn is_here(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default();
    // An address of version 6 stands in brackets.
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.to_canonical().is_loopback())
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
    fn what_stays_on_this_machine_is_not_compressed() {
        let check = |urls: &[&str], has_proxy, expected| {
            let urls: Vec<_> = urls.iter().map(ToString::to_string).collect();
            assert_eq!(Compression::fitting(&urls, has_proxy), expected, "{urls:?}");
        };
        for here in
            ["http://localhost:8086", "https://LOCALHOST", "http://127.0.0.1:8086/influx", "http://127.9.9.9"]
        {
            check(&[here], false, Compression::None);
        }
        check(&["http://[::1]:8086", "http://[::ffff:127.0.0.1]:8086"], false, Compression::None);
        check(&["http://localhost:8086"], true, Compression::Gzip);
        check(&["http://localhost:8086", "http://influx:8086"], false, Compression::Gzip);
        for elsewhere in [
            "http://localhost.example.com",
            "http://10.0.0.1:8086",
            "http://[fe80::1]",
            "http://127.0.0.1.nip.io",
        ] {
            check(&[elsewhere], false, Compression::Gzip);
        }
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
