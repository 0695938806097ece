//! Base64 (RFC 4648, with padding), for passwords and signatures. A few dozen bytes do not need a
//! library.

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes as text.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3).saturating_mul(4));
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4_usize {
            let index = (bits >> (18 - 6 * place)) & 63;
            let letter = LETTERS.get(index as usize).copied().unwrap_or(b'A');
            text.push(if place > chunk.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

/// The bytes of a text; none if it is not base64. Padding may be missing.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let letters = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(letters.len());
    for chunk in letters.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for letter in chunk {
            let index = LETTERS.iter().position(|own| own == letter)?;
            bits = bits << 6 | u32::try_from(index).ok()?;
        }
        // Four letters are three bytes; a single one is none at all.
        let missing = 4 - chunk.len();
        let [_, whole @ ..] = (bits << (6 * missing)).to_be_bytes();
        bytes.extend_from_slice(whole.get(..3_usize.checked_sub(missing).filter(|count| *count > 0)?)?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn what_is_encoded_is_decoded() {
        let check = |text: &str, expected: &str| {
            assert_eq!(encode(text.as_bytes()), expected);
            assert_eq!(decode(expected).unwrap(), text.as_bytes());
            assert_eq!(decode(expected.trim_end_matches('=')).unwrap(), text.as_bytes());
        };
        check("", "");
        check("f", "Zg==");
        check("fo", "Zm8=");
        check("foo", "Zm9v");
        check("foob", "Zm9vYg==");
        check("user:pässwörd", "dXNlcjpww6Rzc3fDtnJk");
    }

    #[test]
    fn what_is_not_base64_is_nothing() {
        for text in ["Z", "Zm9vY", "Zm 9v", "Zm9v!", "Zg=a", "ä"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
