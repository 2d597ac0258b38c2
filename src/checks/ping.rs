//! ICMP echo: a datagram ICMP socket where the kernel allows one, else a raw one.
//!
//! RFC 792 and RFC 4443, type, code, checksum, identifier, sequence number, data:
//! ```text
//!  0                   1                   2                   3
//! |     type      |     code      |           checksum            |
//! |          identifier           |        sequence number        |
//! |  data ...
//! ```

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::Failure;

/// Bytes of data, as the original sends.
const DATA: usize = 64;

/// Sends requests, `interval` apart, until one is answered; the caller sets the limit.
pub(super) async fn ask(addr: IpAddr, interval: Duration) -> Result<String, Failure> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let (socket, raw) = open(addr).map_err(Failure::io("icmp socket"))?;
    // Many pings are under way at once and raw sockets see the answers to all of them: each has a number of its own.
    let number = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(std::process::id().rotate_left(16));
    let [a, b, c, d] = number.to_be_bytes();
    let (id, seq) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let request = echo_request(addr, id, seq);
    let mut buffer = [0; 1500];
    loop {
        socket.send(&request).await.map_err(Failure::io("icmp echo"))?;
        let answered = tokio::time::timeout(interval, async {
            loop {
                let n = socket.recv(&mut buffer).await.map_err(Failure::io("icmp echo"))?;
                let packet = buffer.get(..n).unwrap_or_default();
                if is_answer(packet, &request, addr, raw) {
                    return Ok::<(), Failure>(());
                }
            }
        });
        if let Ok(result) = answered.await {
            return result.map(|()| "echo reply".into());
        }
    }
}

/// A connected socket, and whether it is a raw one.
fn open(addr: IpAddr) -> std::io::Result<(UdpSocket, bool)> {
    let (domain, protocol) = if addr.is_ipv4() { (Domain::IPV4, Protocol::ICMPV4) } else { (Domain::IPV6, Protocol::ICMPV6) };
    let (socket, raw) = match Socket::new(domain, Type::DGRAM, Some(protocol)) {
        Ok(socket) => (socket, false),
        // The sysctl net.ipv4.ping_group_range is empty by default, also for root.
        Err(_) => (Socket::new(domain, Type::RAW, Some(protocol))?, true),
    };
    socket.set_nonblocking(true)?;
    socket.connect(&SocketAddr::new(addr, 0).into())?;
    // Send and receive on a connected socket are the same calls, whatever its protocol.
    Ok((UdpSocket::from_std(std::net::UdpSocket::from(socket))?, raw))
}

/// An echo request of this identifier and sequence number.
#[must_use]
pub fn echo_request(addr: IpAddr, id: u16, seq: u16) -> Vec<u8> {
    let kind = if addr.is_ipv4() { 8 } else { 128 };
    let mut packet = vec![kind, 0, 0, 0];
    packet.extend(id.to_be_bytes());
    packet.extend(seq.to_be_bytes());
    packet.extend((0..DATA).map(|i| u8::try_from(i).unwrap_or(0)));
    if addr.is_ipv4() {
        // For ICMPv6 the kernel does it.
        let sum = checksum(&packet).to_be_bytes();
        if let Some(field) = packet.get_mut(2..4) {
            field.copy_from_slice(&sum);
        }
    }
    packet
}

/// Whether `packet` answers `request`. Raw IPv4 sockets deliver the IP header too, and everybody's answers; datagram sockets
/// put an identifier of their own into the request.
#[must_use]
pub fn is_answer(packet: &[u8], request: &[u8], addr: IpAddr, raw: bool) -> bool {
    let header = match packet.first() {
        Some(first) if raw && addr.is_ipv4() => usize::from(first & 0x0f) * 4,
        _ => 0,
    };
    let reply = if addr.is_ipv4() { 0 } else { 129 };
    let Some(packet) = packet.get(header..) else { return false };
    let same = |from: usize| packet.get(from..).is_some_and(|p| Some(p) == request.get(from..));
    packet.first() == Some(&reply) && packet.get(1) == Some(&0) && same(if raw { 4 } else { 6 })
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for pair in bytes.chunks(2) {
        let high = pair.first().copied().unwrap_or(0);
        let low = pair.get(1).copied().unwrap_or(0);
        sum += u32::from(u16::from_be_bytes([high, low]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply_to(request: &[u8], reply: u8) -> Vec<u8> {
        let mut packet = request.to_vec();
        packet[0] = reply;
        packet
    }

    #[test]
    fn requests_carry_a_checksum_that_adds_up() {
        let request = echo_request([127, 0, 0, 1].into(), 0x1234, 7);
        assert_eq!(request.len(), 8 + DATA);
        assert_eq!(checksum(&request), 0);
        // The example of RFC 1071, section 3.
        assert_eq!(!checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), 0xddf2);
    }

    #[test]
    fn only_the_answer_to_this_very_request_counts() {
        let v4: IpAddr = [10, 0, 0, 1].into();
        let v6: IpAddr = std::net::Ipv6Addr::LOCALHOST.into();
        let request = echo_request(v4, 0x1234, 7);
        let mut with_header = vec![0x45; 20];
        with_header.extend(reply_to(&request, 0));
        assert!(is_answer(&with_header, &request, v4, true));
        assert!(is_answer(&reply_to(&request, 0), &request, v4, false));
        assert!(!is_answer(&request, &request, v4, false), "the request itself");
        let mut other = with_header.clone();
        other[25] ^= 1;
        assert!(!is_answer(&other, &request, v4, true), "another identifier");
        assert!(!is_answer(&with_header[..40], &request, v4, true), "cut short");
        assert!(!is_answer(&[], &request, v4, true));
        assert!(!is_answer(&[0x4f], &request, v4, true));
        let request = echo_request(v6, 1, 1);
        assert!(is_answer(&reply_to(&request, 129), &request, v6, true));
        assert!(!is_answer(&reply_to(&request, 0), &request, v6, true));
    }
}
