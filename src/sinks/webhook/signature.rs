//! Signatures as Standard Webhooks 1.0 has them (<https://www.standardwebhooks.com>): HMAC-SHA256 over
//! `id.timestamp.body`, one per secret, so that a receiver may know the old one or the new one while
//! a secret is being changed.
//!
//! Signed is the body as the receiver's application sees it: before compression. A receiver that
//! checks must do so after its server has unpacked the body.

use ring::hmac;

use crate::encode::base64;
use crate::secret::Secret;

/// Keys that sign; maybe none.
#[derive(Debug, Default)]
pub(super) struct Keys(Vec<hmac::Key>);

impl Keys {
    /// Reads secrets that are separated by spaces or line ends: `whsec_` and base64, or any other word,
    /// whose bytes are the key. The error says what is wrong, without the secret.
    pub(super) fn try_new(secrets: &Secret) -> Result<Self, &'static str> {
        let key = |word: &str| {
            let bytes = match word.strip_prefix("whsec_") {
                Some(coded) => base64::decode(coded).filter(|bytes| !bytes.is_empty()),
                None => Some(word.as_bytes().to_vec()),
            };
            bytes
                .map(|bytes| hmac::Key::new(hmac::HMAC_SHA256, &bytes))
                .ok_or("is not a secret; expected base64 after whsec_")
        };
        let keys = secrets.expose().split_whitespace().map(key).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err("is empty; expected whsec_ and base64, several separated by spaces");
        }
        Ok(Self(keys))
    }

    /// The header `webhook-signature`, if there is a key.
    pub(super) fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> Option<String> {
        let signed = |key: &hmac::Key| {
            let mut context = hmac::Context::with_key(key);
            for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
                context.update(part);
            }
            format!("v1,{}", base64::encode(context.sign().as_ref()))
        };
        let all: Vec<_> = self.0.iter().map(signed).collect();
        (!all.is_empty()).then(|| all.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::Keys;
    use crate::secret::Secret;

    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = b"{\"test\": 2432232314}";

    fn sign(secrets: &str) -> Option<String> {
        Keys::try_new(&Secret::new(secrets)).unwrap().sign(ID, "1614265330", BODY)
    }

    /// The example of the specification's own libraries.
    #[test]
    fn it_is_the_signature_of_the_specification() {
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").as_deref(), Some(signature));
        let both = sign("new-one whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let (first, second) = both.split_once(' ').unwrap();
        assert_eq!(second, signature);
        assert!(first.starts_with("v1,") && first != signature, "{first}");
    }

    #[test]
    fn without_a_key_there_is_no_signature() {
        assert_eq!(Keys::default().sign(ID, "1", BODY), None);
        for secrets in ["", " \n", "whsec_", "whsec_no!t", "good whsec_!"] {
            assert!(Keys::try_new(&Secret::new(secrets)).is_err(), "{secrets}");
        }
    }
}
