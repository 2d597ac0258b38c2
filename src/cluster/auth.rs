//! Digests of packets: which key signed, and whether it did.
//!
//! The text form is `NUMBER SP DIGEST`. A packet is checked with the key of its own number, whichever key signs here, so
//! that keys can be changed one node at a time (the original uses its active key's text for every number).

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::Md5;
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::config::settings::{Key, Keys, Method};

/// A digest as it stands in a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// The number of the key, 0 to 255 (`authkeys` allows 0 to 15).
    pub number: u8,
    /// The digest in hexadecimal, as written.
    pub digest: String,
}

/// Why a packet is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// There is no key of that number.
    #[error("Invalid authentication [{0}] in message!")]
    UnknownKey(u8),
    /// The digest is another one.
    #[error("authtoken does not match, authstr={number} ({method})")]
    Mismatch {
        /// The number of the key.
        number: u8,
        /// Its method.
        method: &'static str,
    },
}

impl Tag {
    /// Reads `NUMBER SP DIGEST`.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let (number, digest) = text.split_once(' ')?;
        let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        let hex = !digest.is_empty() && digest.bytes().all(|b| b.is_ascii_hexdigit());
        if !plain || !hex {
            return None;
        }
        Some(Self { number: number.parse().ok()?, digest: digest.to_owned() })
    }

    /// What `key` makes of `data`.
    #[must_use]
    pub fn of(key: &Key, data: &[u8]) -> Self {
        Self { number: key.number, digest: digest(key, data) }
    }

    /// Whether the key of that number made it of `data`. Takes the same time for every wrong digest.
    ///
    /// # Errors
    /// There is no such key, or the digest is another one.
    pub fn verify(&self, keys: &Keys, data: &[u8]) -> Result<(), AuthError> {
        let key = keys.get(self.number).ok_or(AuthError::UnknownKey(self.number))?;
        if bool::from(digest(key, data).as_bytes().ct_eq(self.digest.as_bytes())) {
            Ok(())
        } else {
            Err(AuthError::Mismatch { number: self.number, method: key.method.name() })
        }
    }
}

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.number, self.digest)
    }
}

/// The digest of `data` as lower-case hexadecimal.
fn digest(key: &Key, data: &[u8]) -> String {
    // An HMAC takes a key of any length; `KeyInit` merely has an error in its signature.
    let keyed = match key.method {
        Method::Crc => return format!("{:x}", crc(data)),
        Method::Md5 => Hmac::<Md5>::new_from_slice(&key.secret).map(|m| hex(&m.chain_update(data).finalize().into_bytes())),
        Method::Sha1 => Hmac::<Sha1>::new_from_slice(&key.secret).map(|m| hex(&m.chain_update(data).finalize().into_bytes())),
        Method::Sha256 => Hmac::<Sha256>::new_from_slice(&key.secret).map(|m| hex(&m.chain_update(data).finalize().into_bytes())),
    };
    keyed.unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

/// CRC-32, polynomial 04C11DB7, most significant bit first, start 0, complemented. Unlike `cksum` no length is appended.
fn crc(data: &[u8]) -> u32 {
    !data.iter().fold(0u32, |c, b| {
        let index = (c >> 24) as u8 ^ b;
        (c << 8) ^ CRC_TABLE.get(usize::from(index)).copied().unwrap_or_default()
    })
}

const CRC_TABLE: [u32; 256] = crc_table();

#[allow(clippy::indexing_slicing)] // evaluated by the compiler, within bounds
const fn crc_table() -> [u32; 256] {
    let mut table = [0u32; 256];
    let mut i = 0u32;
    while i < 256 {
        let mut c = i << 24;
        let mut bit = 0;
        while bit < 8 {
            c = if c & 0x8000_0000 == 0 { c << 1 } else { (c << 1) ^ 0x04C1_1DB7 };
            bit += 1;
        }
        table[i as usize] = c;
        i += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(method: Method, secret: &str) -> Key {
        Key { number: 1, method, secret: secret.as_bytes().to_vec() }
    }

    /// RFC 2202, case 2 of each method.
    #[test]
    fn keyed_digests_are_those_of_the_rfc() {
        let data = b"what do ya want for nothing?";
        assert_eq!(digest(&key(Method::Md5, "Jefe"), data), "750c783e6ab0b503eaa86e310a5db738");
        assert_eq!(digest(&key(Method::Sha1, "Jefe"), data), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    }

    /// RFC 4231, case 2.
    #[test]
    fn sha256_is_that_of_the_rfc() {
        let want = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(digest(&key(Method::Sha256, "Jefe"), b"what do ya want for nothing?"), want);
    }

    #[test]
    fn tags_read_strictly() {
        assert_eq!(Tag::parse(b"1 ab12"), Some(Tag { number: 1, digest: "ab12".into() }));
        for bad in [&b""[..], b"1", b"1 ", b" ab", b"+1 ab", b"256 ab", b"1 xy", b"1  ab", b"\xff ab"] {
            assert_eq!(Tag::parse(bad), None, "{bad:?}");
        }
    }

    /// A packet signed with key 2 is believed by a node that signs with key 1 and knows both.
    #[test]
    fn the_key_of_the_packets_number_counts() {
        let two = Key { number: 2, ..key(Method::Sha1, "two") };
        let keys = Keys { active: 1, keys: vec![key(Method::Sha1, "one"), two.clone()] };
        let tag = Tag::of(&two, b"data");
        assert_eq!(tag.verify(&keys, b"data"), Ok(()));
        assert_eq!(tag.verify(&keys, b"date"), Err(AuthError::Mismatch { number: 2, method: "sha1" }));
        assert_eq!(Tag { number: 3, ..tag }.verify(&keys, b"data"), Err(AuthError::UnknownKey(3)));
    }
}
