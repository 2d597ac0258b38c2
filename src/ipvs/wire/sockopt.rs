//! The kernel's older interface, `getsockopt` with `IP_VS_SO_GET_*`: the one that answers with all real servers of a service
//! at once, read under its lock, and with a tenth of the work.
//!
//! It knows IPv4 services alone, leaves out real servers of the other family without a word, says nothing of tunnels, and
//! its counters have 32 bits. So it serves where none of that matters, and [`members`] tells whether something was left out.
//!
//! Source: `struct ip_vs_service_entry`, `ip_vs_dest_entry`, `ip_vs_get_dests` of `linux/ip_vs.h`; integers in the host's
//! order but for ports and addresses. A question has the size of its answer.

use std::net::{IpAddr, Ipv4Addr};

use super::DecodeError;
use super::dest::forward;
use crate::ipvs::model::{Dest, DestEntry, DestKey, Family, ServiceKey, Stats, Tunnel};

/// `IP_VS_SO_GET_SERVICE`.
pub const GET_SERVICE: i32 = BASE + 3;
/// `IP_VS_SO_GET_DESTS`.
pub const GET_DESTS: i32 = BASE + 4;
/// `IP_VS_BASE_CTL`.
const BASE: i32 = 64 + 1024 + 64;

/// Bytes of `struct ip_vs_service_entry`: `u16 protocol | be32 address at 4 | be16 port at 8 | u32 mark at 12 | ... |
/// u32 real servers at 44 | ...`.
const SERVICE: usize = 104;
const MEMBERS: usize = 44;
/// Bytes before the entries of `struct ip_vs_get_dests`: the key as above, `u32 entries at 16`.
const HEAD: usize = 24;
/// Bytes of `struct ip_vs_dest_entry`: `be32 address | be16 port at 4 | u32 flags, weight, upper and lower threshold, active,
/// inactive, persistent connections from 8 | counters from 40`.
const DEST: usize = 96;
/// What no entry consists of: the kernel does not say how many it wrote.
const UNTOUCHED: u8 = 0xff;

/// The question for a service; `None` for one that this interface does not know.
#[must_use]
pub fn service(key: &ServiceKey) -> Option<Vec<u8>> {
    let mut out = head(key)?;
    out.resize(SERVICE, 0);
    Some(out)
}

/// How many real servers the answer to [`service`] tells of, of either family.
#[must_use]
pub fn members(answer: &[u8]) -> Option<usize> {
    u32_at(answer, MEMBERS).ok().and_then(|n| usize::try_from(n).ok())
}

/// The question for at most `room` real servers of a service; `None` for one that this interface does not know.
#[must_use]
pub fn dests_question(key: &ServiceKey, room: usize) -> Option<Vec<u8>> {
    let mut out = head(key)?;
    out.extend_from_slice(&u32::try_from(room).ok()?.to_ne_bytes());
    out.resize(HEAD, 0);
    out.resize(room.checked_mul(DEST)?.checked_add(HEAD)?, UNTOUCHED);
    Some(out)
}

/// The real servers in the answer to [`dests_question`], without counters and tunnels.
pub fn dests(answer: &[u8]) -> Result<Vec<DestEntry>, DecodeError> {
    let entries = answer.get(HEAD..).unwrap_or_default().chunks_exact(DEST);
    entries.take_while(|entry| entry.iter().any(|byte| *byte != UNTOUCHED)).map(dest).collect()
}

fn dest(entry: &[u8]) -> Result<DestEntry, DecodeError> {
    let addr = IpAddr::V4(Ipv4Addr::from(at::<4>(entry, 0)?));
    let key = DestKey { addr, port: u16::from_be_bytes(at(entry, 4)?) };
    let number = |place| u32_at(entry, place);
    let dest = Dest {
        key,
        forward: forward(number(8)?),
        weight: number(12)?,
        upper: number(16)?,
        lower: number(20)?,
        tunnel: Tunnel::default(),
    };
    let (active, inactive, persistent) = (number(24)?, number(28)?, number(32)?);
    Ok(DestEntry { dest, active, inactive, persistent, stats: Stats::default() })
}

/// The key with which both structures begin, 16 bytes.
fn head(key: &ServiceKey) -> Option<Vec<u8>> {
    let (protocol, addr, port, mark) = match *key {
        ServiceKey::Addr { protocol, addr: IpAddr::V4(addr), port } => (protocol.number(), addr, port, 0),
        ServiceKey::Fwmark { mark, family: Family::Inet } => (0, Ipv4Addr::UNSPECIFIED, 0, mark),
        ServiceKey::Addr { .. } | ServiceKey::Fwmark { .. } => return None,
    };
    let mut out = Vec::with_capacity(SERVICE);
    out.extend_from_slice(&protocol.to_ne_bytes());
    out.extend_from_slice(&[0; 2]);
    out.extend_from_slice(&addr.octets());
    out.extend_from_slice(&port.to_be_bytes());
    out.extend_from_slice(&[0; 2]);
    out.extend_from_slice(&mark.to_ne_bytes());
    Some(out)
}

fn u32_at(bytes: &[u8], place: usize) -> Result<u32, DecodeError> {
    at(bytes, place).map(u32::from_ne_bytes)
}

fn at<const N: usize>(bytes: &[u8], place: usize) -> Result<[u8; N], DecodeError> {
    let short = DecodeError::Short { what: "answer of getsockopt", found: bytes.len(), expected: place + N };
    bytes.get(place..).and_then(|rest| rest.first_chunk()).copied().ok_or(short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipvs::model::{Forward, Protocol};

    fn key() -> ServiceKey {
        ServiceKey::Addr { protocol: Protocol::Tcp, addr: IpAddr::from([10, 0, 0, 1]), port: 80 }
    }

    #[test]
    fn a_question_is_as_long_as_its_answer() {
        assert_eq!(service(&key()).unwrap().len(), 104);
        let question = dests_question(&key(), 3).unwrap();
        assert_eq!(question.len(), 24 + 3 * 96);
        assert_eq!(question[..20], [6, 0, 0, 0, 10, 0, 0, 1, 0, 80, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0]);
        let v6 = ServiceKey::Addr { protocol: Protocol::Tcp, addr: "fd00::1".parse().unwrap(), port: 80 };
        assert_eq!((service(&v6), dests_question(&v6, 1)), (None, None));
    }

    #[test]
    fn entries_end_where_the_kernel_wrote_nothing() {
        let mut answer = dests_question(&key(), 2).unwrap();
        assert_eq!(dests(&answer), Ok(vec![]));
        let mut entry = vec![10, 0, 1, 1, 0, 80, 0, 0];
        for number in [0x103u32, 5, 20, 10, 7, 8, 9] {
            entry.extend_from_slice(&number.to_ne_bytes());
        }
        answer[24..24 + 36].copy_from_slice(&entry);
        let read = dests(&answer).unwrap();
        assert_eq!(read.len(), 1);
        let DestEntry { dest, active, inactive, persistent, .. } = &read[0];
        assert_eq!((dest.key.to_string().as_str(), dest.forward, dest.weight), ("10.0.1.1:80", Forward::Gate, 5));
        assert_eq!((dest.upper, dest.lower, *active, *inactive, *persistent), (20, 10, 7, 8, 9));
        assert_eq!(dests(&answer[..50]), Ok(vec![]), "half an entry is none");
    }
}
