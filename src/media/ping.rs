//! ICMP echo to the ping nodes: one request for each own heartbeat.
//!
//! The original puts a whole heartbeat packet into the request and reads it back from the reply; the payload never
//! reaches another node, so ours is plain and a reply is known by its identifier and sequence number.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;

use crate::config::settings::PingNode;

/// Type of an ICMP echo request.
pub const ECHO_REQUEST_V4: u8 = 8;
const ECHO_REPLY_V4: u8 = 0;
const ECHO_REQUEST_V6: u8 = 128;
const ECHO_REPLY_V6: u8 = 129;
const PAYLOAD: &[u8] = b"lvs-ha ping node";
/// Requests that may still be answered.
const REMEMBERED: usize = 4096;

/// The sockets and what was asked.
#[derive(Debug)]
pub struct Pinger {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
    nodes: Vec<Vec<IpAddr>>,
    id: u16,
    sequence: u16,
    /// Sequence number, host and index of the ping node, oldest first.
    asked: VecDeque<(u16, IpAddr, usize)>,
}

impl Pinger {
    /// For these ping nodes. Opens a socket only for the address families they need. Raw sockets need root.
    pub fn open(nodes: &[PingNode]) -> io::Result<Self> {
        let need = |v4: bool| nodes.iter().flat_map(|n| &n.hosts).any(|h| h.is_ipv4() == v4);
        let open = |wanted: bool, domain, protocol| -> io::Result<Option<UdpSocket>> {
            if !wanted {
                return Ok(None);
            }
            let socket = Socket::new(domain, Type::RAW, Some(protocol))?;
            socket.set_nonblocking(true)?;
            // tokio has no raw socket; its UDP socket only ever calls sendto and recvfrom on the descriptor.
            Ok(Some(UdpSocket::from_std(socket.into())?))
        };
        Ok(Self {
            v4: open(need(true), Domain::IPV4, Protocol::ICMPV4)?,
            v6: open(need(false), Domain::IPV6, Protocol::ICMPV6)?,
            nodes: nodes.iter().map(|n| n.hosts.clone()).collect(),
            // As the original: the low 16 bits of the process id.
            id: u16::try_from(std::process::id() & 0xffff).unwrap_or_default(),
            sequence: 0,
            asked: VecDeque::new(),
        })
    }

    /// Asks all hosts of a ping node. A request that cannot be sent is as good as one that is not answered.
    pub fn ask(&mut self, node: usize) {
        for host in self.nodes.get(node).into_iter().flatten() {
            let (socket, kind) = match host {
                IpAddr::V4(_) => (&self.v4, ECHO_REQUEST_V4),
                IpAddr::V6(_) => (&self.v6, ECHO_REQUEST_V6),
            };
            let Some(socket) = socket else { continue };
            let packet = request(kind, self.id, self.sequence);
            let _ = SockRef::from(socket).send_to(&packet, &SocketAddr::new(*host, 0).into());
            self.asked.push_back((self.sequence, *host, node));
            self.sequence = self.sequence.wrapping_add(1);
        }
        while self.asked.len() > REMEMBERED {
            self.asked.pop_front();
        }
    }

    /// Waits for the next answer and tells which node gave it. Without ping nodes it waits for ever.
    pub async fn answer(&mut self) -> usize {
        std::future::poll_fn(|cx| self.poll_answer(cx)).await
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        for (socket, v4) in [(&self.v4, true), (&self.v6, false)] {
            let Some(socket) = socket else { continue };
            loop {
                let mut buffer = [0; 2048];
                let mut read = ReadBuf::new(&mut buffer);
                let from = match socket.poll_recv_from(cx, &mut read) {
                    Poll::Ready(Ok(from)) => from.ip(),
                    // An error is what an earlier request met, such as an unreachable host.
                    Poll::Ready(Err(_)) => continue,
                    Poll::Pending => break,
                };
                let Some(sequence) = reply(read.filled(), v4, self.id) else { continue };
                if let Some(place) = self.asked.iter().position(|(s, host, _)| *s == sequence && *host == from)
                    && let Some((_, _, node)) = self.asked.remove(place)
                {
                    return Poll::Ready(node);
                }
            }
        }
        Poll::Pending
    }
}

/// An echo request (RFC 792, RFC 4443). The kernel fills in the checksum of ICMPv6, we that of ICMP.
#[must_use]
pub fn request(kind: u8, id: u16, sequence: u16) -> Vec<u8> {
    let mut packet = vec![kind, 0, 0, 0];
    packet.extend_from_slice(&id.to_be_bytes());
    packet.extend_from_slice(&sequence.to_be_bytes());
    packet.extend_from_slice(PAYLOAD);
    if kind == ECHO_REQUEST_V4 {
        let sum = checksum(&packet).to_be_bytes();
        packet.splice(2..4, sum);
    }
    packet
}

/// The sequence number of an echo reply to `id`; `None` for any other packet. A raw IPv4 socket delivers the IP header too.
#[must_use]
pub fn reply(bytes: &[u8], v4: bool, id: u16) -> Option<u16> {
    let icmp = if v4 { bytes.get(usize::from(bytes.first()? & 0x0f) * 4..)? } else { bytes };
    let [kind, 0, _, _, id_high, id_low, sequence_high, sequence_low, ..] = icmp else { return None };
    let wanted = if v4 { ECHO_REPLY_V4 } else { ECHO_REPLY_V6 };
    (*kind == wanted && u16::from_be_bytes([*id_high, *id_low]) == id)
        .then(|| u16::from_be_bytes([*sequence_high, *sequence_low]))
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        let high = pair.first().copied().unwrap_or_default();
        let low = pair.get(1).copied().unwrap_or_default();
        sum += u32::from(u16::from_be_bytes([high, low]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_sums_up_to_zero_and_its_reply_is_known() {
        let packet = request(ECHO_REQUEST_V4, 0x1234, 7);
        assert_eq!(checksum(&packet), 0);
        let mut answer = vec![0x45; 20];
        answer.extend_from_slice(&packet);
        assert_eq!(reply(&answer, true, 0x1234), None, "a request is no reply");
        answer[20] = ECHO_REPLY_V4;
        assert_eq!(reply(&answer, true, 0x1234), Some(7));
        assert_eq!(reply(&answer, true, 0x1235), None);
    }

    #[test]
    fn short_packets_are_no_replies() {
        for len in 0..28 {
            assert_eq!(reply(&[0x45_u8; 28][..len], true, 0x4545), None);
        }
    }

    #[tokio::test]
    async fn loopback_answers() {
        let node = |host: &str| PingNode { name: host.to_owned(), hosts: vec![host.parse().unwrap()] };
        let mut pinger = Pinger::open(&[node("127.0.0.1"), node("127.0.0.2")]).unwrap();
        pinger.ask(1);
        assert_eq!(pinger.answer().await, 1);
        pinger.ask(0);
        assert_eq!(pinger.answer().await, 0);
    }
}
