//! The packet: a message of named, typed fields in their order, and its two framings. Source: notes on 3.0.6's wire format.
//!
//! ```text
//! netstring:  "###" LF  ( LEN ":" "(" TYPE ")" NAME "=" VALUE "," )*  "%%%" LF  LEN ":" NUMBER SP DIGEST ","
//! classic:    ">>>" LF  ( [ "(" TYPE ")" ] NAME "=" VALUE LF )*  "<<<" LF   with one line auth=NUMBER SP DIGEST
//! ```
//!
//! Both are read, netstring is written. The outer digest of a netstring packet covers all bytes before it; the field `auth`
//! in it (the inner digest) covers the classic rendering of the other fields and is not checked, as in the original.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::cluster::auth::Tag;
use crate::config::settings::Key;

/// Longest packet that is read.
pub const MAX_PACKET: usize = 256 * 1024;

/// What a field's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A string (type 0).
    Text,
    /// Raw bytes (type 1).
    Binary,
    /// A nested message, kept as bytes (type 2).
    Nested,
    /// A list of strings as netstrings, kept as bytes (type 3).
    List,
    /// A compressed nested message, kept as bytes (type 4).
    Compressed,
    /// One that its sender meant to compress, kept as bytes (type 5).
    Uncompressed,
}

impl Kind {
    fn digit(self) -> char {
        match self {
            Self::Text => '0',
            Self::Binary => '1',
            Self::Nested => '2',
            Self::List => '3',
            Self::Compressed => '4',
            Self::Uncompressed => '5',
        }
    }

    fn from_digit(digit: u8) -> Result<Self, DecodeError> {
        match digit {
            b'0' => Ok(Self::Text),
            b'1' => Ok(Self::Binary),
            b'2' => Ok(Self::Nested),
            b'3' => Ok(Self::List),
            b'4' => Ok(Self::Compressed),
            b'5' => Ok(Self::Uncompressed),
            other => Err(DecodeError::Type(other)),
        }
    }
}

/// A field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name, without `=`.
    pub name: String,
    /// What the value is.
    pub kind: Kind,
    /// The value's bytes.
    pub value: Vec<u8>,
}

/// A message: fields in their order. The order is covered by the digest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    fields: Vec<Field>,
}

/// How a packet was framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `###`, what 3.0.6 sends.
    Netstring,
    /// `>>>`.
    Classic,
}

/// A packet taken apart, not yet believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// What it says. A classic packet's `auth` is not among the fields.
    pub message: Message,
    /// How it was framed.
    pub framing: Framing,
    /// Who signed.
    pub tag: Tag,
    /// The bytes the signature covers.
    pub signed: Vec<u8>,
}

/// Why bytes are no packet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Longer than [`MAX_PACKET`].
    #[error("packet of {0} bytes, at most {MAX_PACKET} expected")]
    TooLong(usize),
    /// Starts with neither `###` nor `>>>`.
    #[error("no start of a message (### or >>>)")]
    Start,
    /// Ends before the end of the message or its digest.
    #[error("packet ends early at byte {0}")]
    Short(usize),
    /// A length is no decimal number of at most seven digits followed by a colon.
    #[error("bad length at byte {0}")]
    Length(usize),
    /// Something stands where a comma was expected.
    #[error("no comma at byte {0}")]
    Comma(usize),
    /// A field without type, name or `=`, or with a name that is no UTF-8.
    #[error("bad field at byte {0}")]
    Field(usize),
    /// A compressed message that cannot be unpacked.
    #[error("compressed message: {0}")]
    Compressed(String),
    /// A field type that is not understood.
    #[error("field type {0} is not understood")]
    Type(u8),
    /// Binary that is no base64 (classic framing).
    #[error("bad base64 in field {0}")]
    Base64(String),
    /// The digest is missing or is not `NUMBER DIGEST`.
    #[error("no digest")]
    Digest,
    /// Bytes after the packet.
    #[error("{0} bytes after the packet")]
    Trailing(usize),
}

impl Message {
    /// A message without fields.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// A message of type `t`.
    #[must_use]
    pub fn new(t: &str) -> Self {
        Self::empty().with("t", t)
    }

    /// The same with a text field appended.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.push(name, Kind::Text, value.into().into_bytes());
        self
    }

    /// Appends a field, or overwrites the one of that name where it stands.
    pub fn push(&mut self, name: &str, kind: Kind, value: Vec<u8>) {
        match self.fields.iter_mut().find(|f| f.name == name) {
            Some(field) => {
                field.kind = kind;
                field.value = value;
            }
            None => self.fields.push(Field { name: name.to_owned(), kind, value }),
        }
    }

    /// The fields in their order.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// A field's bytes, whatever its kind; the first of that name.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.fields.iter().find(|f| f.name == name).map(|f| f.value.as_slice())
    }

    /// A text field.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        let field = self.fields.iter().find(|f| f.name == name && f.kind == Kind::Text)?;
        std::str::from_utf8(&field.value).ok()
    }

    /// The type.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text("t").unwrap_or_default()
    }

    /// A hexadecimal number.
    #[must_use]
    pub fn hex(&self, name: &str) -> Option<u64> {
        self.number(name, 16)
    }

    /// A decimal number.
    #[must_use]
    pub fn decimal(&self, name: &str) -> Option<u64> {
        self.number(name, 10)
    }

    /// Appends the inner digest, as a sender with `msgfmt classic` does.
    pub fn seal(&mut self, key: &Key) {
        let tag = Tag::of(key, &self.classic_body());
        self.push("auth", Kind::Text, tag.to_string().into_bytes());
    }

    /// The packet in netstring framing, signed with `key`.
    #[must_use]
    pub fn encode(&self, key: &Key) -> Vec<u8> {
        let mut out = Vec::with_capacity(400);
        out.extend_from_slice(b"###\n");
        for field in &self.fields {
            let length = field.name.len() + field.value.len() + 4;
            out.extend_from_slice(format!("{length}:({}){}=", field.kind.digit(), field.name).as_bytes());
            out.extend_from_slice(&field.value);
            out.push(b',');
        }
        out.extend_from_slice(b"%%%\n");
        let tag = Tag::of(key, &out).to_string();
        out.extend_from_slice(format!("{}:{tag},", tag.len()).as_bytes());
        out
    }

    /// What the inner digest covers: all fields but `auth`, in classic rendering, without the frame.
    fn classic_body(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(300);
        for field in self.fields.iter().filter(|f| f.name != "auth") {
            if field.kind != Kind::Text {
                out.extend_from_slice(format!("({})", field.kind.digit()).as_bytes());
            }
            out.extend_from_slice(field.name.as_bytes());
            out.push(b'=');
            match field.kind {
                Kind::Binary | Kind::Compressed => out.extend_from_slice(STANDARD.encode(&field.value).as_bytes()),
                Kind::Text => out.extend(field.value.iter().map(|&b| if b == b'\n' { LINE_FEED } else { b })),
                Kind::Nested | Kind::List | Kind::Uncompressed => out.extend_from_slice(&field.value),
            }
            out.push(b'\n');
        }
        out
    }

    fn number(&self, name: &str, radix: u32) -> Option<u64> {
        let text = self.text(name)?;
        if !text.chars().all(|c| c.is_digit(radix)) {
            return None;
        }
        u64::from_str_radix(text, radix).ok()
    }
}

/// Takes a datagram apart.
///
/// # Errors
/// The bytes are no packet in either framing.
pub fn decode(bytes: &[u8]) -> Result<Packet, DecodeError> {
    if bytes.len() > MAX_PACKET {
        return Err(DecodeError::TooLong(bytes.len()));
    }
    if bytes.starts_with(b"###\n") {
        decode_netstring(bytes)
    } else if bytes.starts_with(b">>>\n") {
        decode_classic(bytes)
    } else {
        Err(DecodeError::Start)
    }
}

/// A netstring packet of a sender with `msgfmt classic` in classic framing: its inner digest is that framing's. `None` for any
/// other packet.
#[must_use]
pub fn as_classic(packet: &[u8]) -> Option<Vec<u8>> {
    let message = decode_netstring(packet).ok()?.message;
    let auth = message.bytes("auth")?;
    Some([b">>>\n", message.classic_body().as_slice(), b"auth=", auth, b"\n<<<\n"].concat())
}

/// The payload of an ICMP echo request to a ping node: the packet that "node" is expected to send, which the echo returns.
#[must_use]
pub fn ping_payload(name: &str, wall: u64, key: &Key, inner: bool) -> Vec<u8> {
    let mut message =
        Message::new("NS_st").with("st", "ping").with("info", "ping").with("src", name).with("ts", format!("{wall:x}"));
    if inner {
        message.seal(key);
    }
    message.encode(key)
}

fn decode_netstring(bytes: &[u8]) -> Result<Packet, DecodeError> {
    let mut at = 4;
    let mut message = Message::empty();
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        if rest.starts_with(b"%%%\n") {
            break;
        }
        let (item, next) = netstring(bytes, at)?;
        message.fields.push(field(item, at)?);
        at = next;
    }
    let body = at + 4;
    let (item, end) = netstring(bytes, body)?;
    let tag = Tag::parse(item).ok_or(DecodeError::Digest)?;
    if end != bytes.len() {
        return Err(DecodeError::Trailing(bytes.len() - end));
    }
    let signed = bytes.get(..body).ok_or(DecodeError::Short(body))?.to_vec();
    Ok(Packet { message, framing: Framing::Netstring, tag, signed })
}

/// The netstring at `at` and the offset behind its comma.
fn netstring(bytes: &[u8], at: usize) -> Result<(&[u8], usize), DecodeError> {
    let rest = bytes.get(at..).ok_or(DecodeError::Short(at))?;
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    match rest.get(digits) {
        None => return Err(DecodeError::Short(bytes.len())),
        Some(b':') if (1..=7).contains(&digits) => {}
        Some(_) => return Err(DecodeError::Length(at)),
    }
    let length = rest.get(..digits).unwrap_or_default().iter().fold(0usize, |n, b| n * 10 + usize::from(b - b'0'));
    let start = at + digits + 1;
    let end = start + length;
    let item = bytes.get(start..end).ok_or(DecodeError::Short(bytes.len()))?;
    match bytes.get(end) {
        Some(b',') => Ok((item, end + 1)),
        Some(_) => Err(DecodeError::Comma(end)),
        None => Err(DecodeError::Short(end)),
    }
}

/// `(T)NAME=VALUE`.
fn field(item: &[u8], at: usize) -> Result<Field, DecodeError> {
    let [b'(', digit, b')', rest @ ..] = item else { return Err(DecodeError::Field(at)) };
    let (name, value) = name_value(rest, at)?;
    Ok(Field { name, kind: Kind::from_digit(*digit)?, value: value.to_vec() })
}

fn name_value(text: &[u8], at: usize) -> Result<(String, &[u8]), DecodeError> {
    let equals = text.iter().position(|&b| b == b'=').filter(|&n| n > 0).ok_or(DecodeError::Field(at))?;
    let (name, value) = text.split_at(equals);
    let name = std::str::from_utf8(name).map_err(|_| DecodeError::Field(at))?;
    Ok((name.to_owned(), value.get(1..).unwrap_or_default()))
}

fn decode_classic(bytes: &[u8]) -> Result<Packet, DecodeError> {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    let mut message = Message::empty();
    let mut signed = Vec::new();
    let mut tag = None;
    let mut at = 4;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let length = rest.iter().position(|&b| b == b'\n').ok_or(DecodeError::Short(bytes.len()))?;
        let line = rest.get(..length).unwrap_or_default();
        let next = at + length + 1;
        if line == b"<<<" {
            if next != bytes.len() {
                return Err(DecodeError::Trailing(bytes.len() - next));
            }
            break;
        }
        if let Some(text) = line.strip_prefix(b"auth=") {
            tag = Some(Tag::parse(text).ok_or(DecodeError::Digest)?);
        } else {
            message.fields.push(classic_field(line, at)?);
            signed.extend_from_slice(line);
            signed.push(b'\n');
        }
        at = next;
    }
    Ok(Packet { message, framing: Framing::Classic, tag: tag.ok_or(DecodeError::Digest)?, signed })
}

fn classic_field(line: &[u8], at: usize) -> Result<Field, DecodeError> {
    let (kind, rest) = match line {
        [b'(', digit, b')', rest @ ..] => (Kind::from_digit(*digit)?, rest),
        _ => (Kind::Text, line),
    };
    let (name, value) = name_value(rest, at)?;
    let value = match kind {
        Kind::Binary | Kind::Compressed => STANDARD.decode(value).map_err(|_| DecodeError::Base64(name.clone()))?,
        Kind::Text => value.iter().map(|&b| if b == LINE_FEED { b'\n' } else { b }).collect(),
        Kind::Nested | Kind::List | Kind::Uncompressed => value.to_vec(),
    };
    Ok(Field { name, kind, value })
}

/// Stands for a line feed inside a value of the classic framing.
const LINE_FEED: u8 = 0x13;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::settings::{Keys, Method};

    fn key() -> Key {
        Key { number: 1, method: Method::Sha1, secret: b"labsecret".to_vec() }
    }

    fn any_message() -> impl Strategy<Value = Message> {
        let kind = prop_oneof![Just(Kind::Text), Just(Kind::Binary), Just(Kind::Compressed)];
        let field = (("[a-z_]{1,8}"), kind, proptest::collection::vec(any::<u8>(), 0..40));
        proptest::collection::vec(field, 0..12).prop_map(|fields| {
            let mut message = Message::empty();
            for (name, kind, value) in fields.into_iter().filter(|(n, ..)| n != "auth") {
                message.push(&name, kind, value);
            }
            message
        })
    }

    proptest! {
        #[test]
        fn netstring_round_trip(message in any_message()) {
            let packet = decode(&message.encode(&key())).unwrap();
            prop_assert_eq!(&packet.message, &message);
            let keys = Keys { active: 1, keys: vec![key()] };
            prop_assert_eq!(packet.tag.verify(&keys, &packet.signed), Ok(()));
        }

        #[test]
        fn classic_round_trip(message in any_message()) {
            // Text cannot carry the byte that stands for a line feed.
            let clean = message.fields().iter().all(|f| f.kind != Kind::Text || !f.value.contains(&LINE_FEED));
            prop_assume!(clean);
            let body = message.classic_body();
            let tag = Tag::of(&key(), &body);
            let mut bytes = b">>>\n".to_vec();
            bytes.extend_from_slice(&body);
            bytes.extend_from_slice(format!("auth={tag}\n<<<\n").as_bytes());
            let packet = decode(&bytes).unwrap();
            prop_assert_eq!(&packet.message, &message);
            prop_assert_eq!(&packet.signed, &body);
            bytes.push(0);
            prop_assert!(decode(&bytes).is_ok());
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), start in 0..3) {
            let mut all = match start { 0 => b"###\n".to_vec(), 1 => b">>>\n".to_vec(), _ => vec![] };
            all.append(&mut bytes);
            let _ = decode(&all);
        }

        #[test]
        fn a_cut_or_changed_packet_is_not_believed(message in any_message(), at in any::<prop::sample::Index>(), flip in 1u8..) {
            let keys = Keys { active: 1, keys: vec![key()] };
            let bytes = message.encode(&key());
            let at = at.index(bytes.len());
            prop_assert!(decode(&bytes[..at]).is_err());
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            let believed = decode(&changed).is_ok_and(|p| p.tag.verify(&keys, &p.signed).is_ok());
            prop_assert!(!believed);
        }
    }

    #[test]
    fn errors_name_the_place() {
        assert_eq!(decode(b"hello"), Err(DecodeError::Start));
        assert_eq!(decode(b"###\n"), Err(DecodeError::Short(4)));
        assert_eq!(decode(b"###\nx:"), Err(DecodeError::Length(4)));
        assert_eq!(decode(b"###\n99999999:"), Err(DecodeError::Length(4)));
        assert_eq!(decode(b"###\n8:(0)t=aaa;"), Err(DecodeError::Comma(14)));
        assert_eq!(decode(b"###\n5:(6)t=,%%%\n"), Err(DecodeError::Type(b'6')));
        assert_eq!(decode(b"###\n4:(0)t,"), Err(DecodeError::Field(4)));
        assert_eq!(decode(b">>>\nt=status\n<<<\n"), Err(DecodeError::Digest));
        assert_eq!(decode(b">>>\n(1)a=*\nauth=1 aa\n<<<\n"), Err(DecodeError::Base64("a".into())));
        assert_eq!(decode(&vec![b'#'; MAX_PACKET + 1]), Err(DecodeError::TooLong(MAX_PACKET + 1)));
    }

    #[test]
    fn numbers_are_plain() {
        let m = Message::new("x").with("a", "3e8").with("b", "+1").with("c", "").with("d", "90");
        assert_eq!(
            (m.hex("a"), m.hex("b"), m.hex("c"), m.hex("d"), m.decimal("d")),
            (Some(1000), None, None, Some(0x90), Some(90))
        );
    }
}
