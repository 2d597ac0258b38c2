//! Netlink attributes: `{u16 length, u16 kind} payload`, padded to four bytes, nested by payload.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::DecodeError;
use super::constants::{AF_INET, AF_INET6};
use crate::ipvs::model::Family;

/// Bytes before a payload.
const HEADER: usize = 4;
/// `NLA_F_NESTED`: set on nests we send; the kernel's own answers lack it.
const NESTED: u16 = 0x8000;
/// Kind without `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER`.
const KIND_MASK: u16 = 0x3fff;
/// Longest name that is written. The kernel refuses all above 15 bytes, so a longer one need not arrive whole.
const TEXT_MAX: usize = 63;

/// One attribute as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attr<'a> {
    /// Kind, without its flag bits.
    pub kind: u16,
    /// Payload, without padding.
    pub payload: &'a [u8],
}

/// Walks over attributes; ends after the first error.
#[derive(Debug, Clone)]
pub struct Attrs<'a>(&'a [u8]);

/// The attributes in `bytes`.
#[must_use]
pub fn attrs(bytes: &[u8]) -> Attrs<'_> {
    Attrs(bytes)
}

impl<'a> Iterator for Attrs<'a> {
    type Item = Result<Attr<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = std::mem::take(&mut self.0);
        if bytes.is_empty() {
            return None;
        }
        let Some((&[l0, l1, k0, k1], _)) = bytes.split_first_chunk::<HEADER>() else {
            return Some(Err(DecodeError::Short { what: "attribute header", found: bytes.len(), expected: HEADER }));
        };
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let Some(payload) = bytes.get(HEADER..length) else {
            return Some(Err(DecodeError::Length { what: "attribute", found: length, left: bytes.len() }));
        };
        self.0 = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Ok(Attr { kind: u16::from_ne_bytes([k0, k1]) & KIND_MASK, payload }))
    }
}

impl<'a> Attr<'a> {
    /// The attributes in the payload.
    #[must_use]
    pub fn nest(&self) -> Attrs<'a> {
        Attrs(self.payload)
    }

    /// One byte.
    pub fn u8(&self, what: &'static str) -> Result<u8, DecodeError> {
        self.first::<1>(what).map(u8::from_ne_bytes)
    }

    /// 16 bits, host order.
    pub fn u16(&self, what: &'static str) -> Result<u16, DecodeError> {
        self.first::<2>(what).map(u16::from_ne_bytes)
    }

    /// 16 bits, network order.
    pub fn be16(&self, what: &'static str) -> Result<u16, DecodeError> {
        self.first::<2>(what).map(u16::from_be_bytes)
    }

    /// 32 bits, host order.
    pub fn u32(&self, what: &'static str) -> Result<u32, DecodeError> {
        self.first::<4>(what).map(u32::from_ne_bytes)
    }

    /// 32 bits, network order.
    pub fn be32(&self, what: &'static str) -> Result<u32, DecodeError> {
        self.first::<4>(what).map(u32::from_be_bytes)
    }

    /// 64 bits, host order.
    pub fn u64(&self, what: &'static str) -> Result<u64, DecodeError> {
        self.first::<8>(what).map(u64::from_ne_bytes)
    }

    /// Text up to the first NUL or the end.
    #[must_use]
    pub fn text(&self) -> String {
        let text = self.payload.split(|b| *b == 0).next().unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }

    /// An address; IPv4 in the first four bytes.
    pub fn addr(&self, what: &'static str, family: Family) -> Result<IpAddr, DecodeError> {
        Ok(match family {
            Family::Inet => IpAddr::V4(Ipv4Addr::from(self.first::<4>(what)?)),
            Family::Inet6 => IpAddr::V6(Ipv6Addr::from(self.first::<16>(what)?)),
        })
    }

    /// An address family.
    pub fn family(&self, what: &'static str) -> Result<Family, DecodeError> {
        match self.u16(what)? {
            AF_INET => Ok(Family::Inet),
            AF_INET6 => Ok(Family::Inet6),
            other => Err(DecodeError::Unknown { what, found: u32::from(other) }),
        }
    }

    fn first<const N: usize>(&self, what: &'static str) -> Result<[u8; N], DecodeError> {
        let short = DecodeError::Short { what, found: self.payload.len(), expected: N };
        self.payload.first_chunk().copied().ok_or(short)
    }
}

/// Appends attributes to a message.
#[derive(Debug)]
pub struct Writer<'a>(&'a mut Vec<u8>);

impl<'a> Writer<'a> {
    /// Appends to `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self(out)
    }

    /// One byte.
    pub fn u8(&mut self, kind: u16, value: u8) {
        self.raw(kind, &[value]);
    }

    /// 16 bits, host order.
    pub fn u16(&mut self, kind: u16, value: u16) {
        self.raw(kind, &value.to_ne_bytes());
    }

    /// 16 bits, network order.
    pub fn be16(&mut self, kind: u16, value: u16) {
        self.raw(kind, &value.to_be_bytes());
    }

    /// 32 bits, host order.
    pub fn u32(&mut self, kind: u16, value: u32) {
        self.raw(kind, &value.to_ne_bytes());
    }

    /// 32 bits, network order.
    pub fn be32(&mut self, kind: u16, value: u32) {
        self.raw(kind, &value.to_be_bytes());
    }

    /// 64 bits, host order.
    pub fn u64(&mut self, kind: u16, value: u64) {
        self.raw(kind, &value.to_ne_bytes());
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, kind: u16, value: &[u8]) {
        self.raw(kind, value);
    }

    /// Two numbers of 32 bits, host order.
    pub fn pair(&mut self, kind: u16, first: u32, second: u32) {
        let [a, b, c, d] = first.to_ne_bytes();
        let [e, f, g, h] = second.to_ne_bytes();
        self.raw(kind, &[a, b, c, d, e, f, g, h]);
    }

    /// Text and a NUL.
    pub fn text(&mut self, kind: u16, value: &str) {
        let mut bytes: Vec<u8> = value.bytes().take_while(|b| *b != 0).take(TEXT_MAX).collect();
        bytes.push(0);
        self.raw(kind, &bytes);
    }

    /// An address in 16 bytes, IPv4 in the first four.
    pub fn addr(&mut self, kind: u16, value: IpAddr) {
        let mut bytes = [0; 16];
        match value {
            IpAddr::V4(v4) => bytes.iter_mut().zip(v4.octets()).for_each(|(to, from)| *to = from),
            IpAddr::V6(v6) => bytes = v6.octets(),
        }
        self.raw(kind, &bytes);
    }

    /// An address in its own length.
    pub fn bare_addr(&mut self, kind: u16, value: IpAddr) {
        match value {
            IpAddr::V4(v4) => self.raw(kind, &v4.octets()),
            IpAddr::V6(v6) => self.raw(kind, &v6.octets()),
        }
    }

    /// An address family.
    pub fn family(&mut self, kind: u16, value: Family) {
        self.u16(
            kind,
            match value {
                Family::Inet => AF_INET,
                Family::Inet6 => AF_INET6,
            },
        );
    }

    /// Attributes within an attribute.
    pub fn nest(&mut self, kind: u16, content: impl FnOnce(&mut Writer<'_>)) {
        let start = self.0.len();
        self.header(kind | NESTED, 0);
        content(&mut Writer(self.0));
        let length = self.0.len() - start;
        // Requests hold at most two nests of a few hundred bytes each, so the length always fits.
        let length = u16::try_from(length).unwrap_or(u16::MAX).to_ne_bytes();
        if let Some(field) = self.0.get_mut(start..start + 2) {
            field.copy_from_slice(&length);
        }
    }

    fn raw(&mut self, kind: u16, payload: &[u8]) {
        self.header(kind, payload.len());
        self.0.extend_from_slice(payload);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    fn header(&mut self, kind: u16, payload: usize) {
        // All payloads are numbers, addresses or names of at most TEXT_MAX bytes.
        let length = u16::try_from(HEADER + payload).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_longer_than_the_rest_is_an_error_and_the_last() {
        let mut walk = attrs(&[8, 0, 1, 0, 1, 2]);
        assert_eq!(walk.next(), Some(Err(DecodeError::Length { what: "attribute", found: 8, left: 6 })));
        assert_eq!(walk.next(), None);
    }

    #[test]
    fn lengths_below_the_header_do_not_loop() {
        assert!(matches!(attrs(&[0, 0, 1, 0]).next(), Some(Err(DecodeError::Length { .. }))));
        assert!(matches!(attrs(&[4, 0]).next(), Some(Err(DecodeError::Short { .. }))));
    }

    #[test]
    fn values_come_back() {
        let mut bytes = Vec::new();
        let mut w = Writer::new(&mut bytes);
        w.text(1, "rr");
        w.nest(2, |w| w.be16(3, 80));
        let list: Vec<_> = attrs(&bytes).collect::<Result<_, _>>().unwrap();
        assert_eq!(list[0].text(), "rr");
        let inner = list[1].nest().next().unwrap().unwrap();
        assert_eq!((list[1].kind, inner.kind, inner.be16("port")), (2, 3, Ok(80)));
        assert!(inner.u32("port").is_err());
    }
}
