//! The values of options: addresses, marks, masks and numbers, with all forms that the C library takes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Lookup;
use crate::ipvs::model::{Granularity, Protocol};

/// A decimal number as C's `strtol` reads a whole string: blanks and a sign may come first.
pub(super) fn number(text: &str, min: i64, max: i64) -> Option<i64> {
    let text = text.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.strip_prefix('+').unwrap_or(text).parse().ok().filter(|n| (min..=max).contains(n))
}

/// The same for a number of type `T`.
pub(super) fn number_as<T: TryFrom<i64>>(text: &str, min: i64, max: i64) -> Option<T> {
    number(text, min, max).and_then(|n| T::try_from(n).ok())
}

/// An address and, if given, a port: `10.0.0.1:80`, `10.0.0.1`, `[fd00::1]:80`, `fd00::1` (a bare IPv6 address has no
/// port, and one in brackets must have one), a host name (IPv4 alone), a port by name if the protocol is known.
pub(super) fn endpoint(text: &str, protocol: Option<Protocol>, names: &dyn Lookup) -> Option<(IpAddr, Option<u16>)> {
    let port = |text: &str| number_as(text, 0, 65_535).or_else(|| names.port(text, protocol?));
    if let Some(rest) = text.strip_prefix('[') {
        let (addr, rest) = rest.split_once(']')?;
        let port = port(rest.strip_prefix(':')?)?;
        return Some((IpAddr::V6(addr.parse().ok()?), Some(port)));
    }
    if text.split_once(':').is_some_and(|(_, rest)| rest.contains(':'))
        && let Ok(v6) = text.parse::<Ipv6Addr>()
    {
        return Some((IpAddr::V6(v6), None));
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, service)) => (host, Some(port(service)?)),
        None => (text, None),
    };
    let addr = inet_aton(host).or_else(|| names.address(host).filter(|_| is_name(host)))?;
    Some((IpAddr::V4(addr), port))
}

/// An IPv4 address as C's `inet_aton` reads it: one to four numbers, decimal, octal (`0`) or hexadecimal (`0x`), the last
/// one fills the rest. What follows a blank is not looked at.
pub(super) fn inet_aton(text: &str) -> Option<Ipv4Addr> {
    // The usual form, which both read alike.
    if let Ok(addr) = text.parse() {
        return Some(addr);
    }
    let text = text.split(|c: char| c.is_ascii_whitespace()).next()?;
    let parts: Vec<u32> = text.split('.').map(c_number).collect::<Option<_>>()?;
    let (last, first) = parts.split_last()?;
    if first.len() > 3 || first.iter().any(|n| *n > 255) {
        return None;
    }
    let bits = 32 - 8 * u32::try_from(first.len()).ok()?;
    if u64::from(*last) >= 1u64 << bits {
        return None;
    }
    let high = first.iter().zip([24, 16, 8]).fold(0, |sum, (n, shift)| sum | n << shift);
    Some(Ipv4Addr::from(high | last))
}

/// The persistence mask: for IPv4 as [`inet_aton`], for IPv6 the leading number, 1 to 128.
pub(super) fn granularity(text: &str, v6: bool) -> Result<Granularity, &'static str> {
    if v6 {
        let text = text.trim_start();
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let length = text.get(..end).and_then(|digits| digits.parse().ok()).filter(|n| (1..=128).contains(n));
        return length.map(Granularity::Prefix).ok_or("illegal ipv6 netmask specified");
    }
    let mask = inet_aton(text).ok_or("illegal virtual server persistent mask specified")?;
    Ok(Granularity::Mask(mask.to_bits()))
}

/// A multicast group for the synchronisation daemons.
pub(super) fn group(text: &str) -> Result<IpAddr, String> {
    let v6 = text.parse::<Ipv6Addr>();
    let v4 = inet_aton(text).filter(Ipv4Addr::is_multicast);
    match (v6, v4) {
        (Ok(addr), _) if addr.is_multicast() => Ok(IpAddr::V6(addr)),
        (Ok(_), _) => Err(format!("invalid IPv6 mcast-group `{text}'")),
        (_, Some(addr)) => Ok(IpAddr::V4(addr)),
        (_, None) => Err(format!("invalid IPv4 mcast-group `{text}'")),
    }
}

/// Whether the resolver should be asked: not for addresses with a slip of the pen in them.
fn is_name(host: &str) -> bool {
    !host.is_empty() && !host.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

fn c_number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => (hex, 16),
        None if text.len() > 1 && text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    // `from_str_radix` takes a sign, `inet_aton` does not.
    let plain = digits.bytes().all(|b| b.is_ascii_alphanumeric());
    u32::from_str_radix(digits, radix).ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_all_forms_of_the_c_library() {
        let addr = |text: &str| inet_aton(text).map(|a| a.to_string());
        assert_eq!(addr("10.9.100").as_deref(), Some("10.9.0.100"));
        assert_eq!(addr("0x0a090064").as_deref(), Some("10.9.0.100"));
        assert_eq!(addr("012.1").as_deref(), Some("10.0.0.1"));
        assert_eq!(addr("24").as_deref(), Some("0.0.0.24"));
        assert_eq!(addr("10.9.0.100 x").as_deref(), Some("10.9.0.100"));
        for bad in ["10.9.0.300", "1.2.3.4.5", "256.1", "1..2", "", "x", "08.1", "+1.2.3.4", "1.2.65536", " 1.2.3.4"] {
            assert_eq!(addr(bad), None, "{bad}");
        }
    }

    struct Http;

    impl Lookup for Http {
        fn address(&self, _: &str) -> Option<Ipv4Addr> {
            None
        }

        fn port(&self, service: &str, _: Protocol) -> Option<u16> {
            (service == "http").then_some(80)
        }
    }

    #[test]
    fn a_port_has_a_name_only_once_the_protocol_is_known() {
        let addr = IpAddr::from([10, 0, 0, 1]);
        assert_eq!(endpoint("10.0.0.1:http", Some(Protocol::Tcp), &Http), Some((addr, Some(80))));
        assert_eq!(endpoint("10.0.0.1:http", None, &Http), None);
        assert_eq!(endpoint("10.0.0.1:80", None, &Http), Some((addr, Some(80))));
    }

    #[test]
    fn numbers_as_strtol() {
        assert_eq!(number(" +5", 0, 9), Some(5));
        assert_eq!(number("-1", -1, 9), Some(-1));
        for bad in ["", "x", "1x", "10", "-", "+-1", "99999999999999999999"] {
            assert_eq!(number(bad, 0, 9), None, "{bad}");
        }
    }
}
