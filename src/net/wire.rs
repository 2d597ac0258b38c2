//! ARP frames (RFC 826) and neighbour advertisements (RFC 4861 section 4.4) as bytes. Pure.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Mac;

const BROADCAST: [u8; 6] = [0xff; 6];
const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];
/// Hardware type Ethernet, protocol IPv4, address lengths 6 and 4.
const ARP_HEADER: [u8; 6] = [0, 1, 8, 0, 6, 4];
const REQUEST: u8 = 1;
const REPLY: u8 = 2;

/// What a gratuitous ARP frame pretends to be: some hosts update their table on the one, some on the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Sent as a request for the own address.
    Request,
    /// Sent as a reply that nobody asked for.
    Reply,
}

/// "`ip` is at `mac`", to everybody.
pub fn gratuitous_arp(form: Form, mac: Mac, ip: Ipv4Addr) -> Vec<u8> {
    let operation = match form {
        Form::Request => REQUEST,
        Form::Reply => REPLY,
    };
    arp(operation, mac, ip, BROADCAST, ip)
}

/// "Who has `ip`?", asked without claiming an address of one's own (RFC 5227 section 2.1.1), so no table is changed by it.
pub fn arp_probe(mac: Mac, ip: Ipv4Addr) -> Vec<u8> {
    arp(REQUEST, mac, Ipv4Addr::UNSPECIFIED, [0; 6], ip)
}

/// The sender of an ARP frame that says where `ip` is; `None` for every other frame.
pub fn arp_answer(frame: &[u8], ip: Ipv4Addr) -> Option<Mac> {
    let body = frame.get(12..)?.strip_prefix(&ETHERTYPE_ARP)?.strip_prefix(&ARP_HEADER)?;
    // A request from the address itself (gratuitous) tells as much as a reply.
    if !matches!(body, [0, REQUEST | REPLY, ..]) || body.get(8..12)? != ip.octets() {
        return None;
    }
    Some(Mac(body.get(2..8)?.try_into().ok()?))
}

fn arp(operation: u8, mac: Mac, from: Ipv4Addr, target_mac: [u8; 6], target: Ipv4Addr) -> Vec<u8> {
    [&BROADCAST[..], &mac.0, &ETHERTYPE_ARP, &ARP_HEADER, &[0, operation], &mac.0, &from.octets(), &target_mac, &target.octets()]
        .concat()
}

/// An unsolicited neighbour advertisement with the override flag and the sender's link-layer address, checksum left to
/// the kernel.
pub fn neighbour_advertisement(mac: Mac, ip: Ipv6Addr) -> Vec<u8> {
    const TYPE: u8 = 136;
    const OVERRIDE: u8 = 0x20;
    const TARGET_LINK_LAYER: [u8; 2] = [2, 1];
    [&[TYPE, 0, 0, 0, OVERRIDE, 0, 0, 0][..], &ip.octets(), &TARGET_LINK_LAYER, &mac.0].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([2, 0, 0x0a, 0x63, 0, 1]);
    const IP: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 101);

    /// Taken from a capture of IPaddr2's send_arp: broadcast, own address as sender and as target.
    #[test]
    fn a_gratuitous_request_has_its_form() {
        let frame = gratuitous_arp(Form::Request, MAC, IP);
        let expected = [
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0x0a, 0x63, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0x0a, 0x63, 0, 1, 10,
            99, 0, 101, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 10, 99, 0, 101,
        ];
        assert_eq!(frame, expected);
        assert_eq!(gratuitous_arp(Form::Reply, MAC, IP)[21], 2);
    }

    #[test]
    fn an_answer_is_read_from_replies_and_gratuitous_requests_only() {
        assert_eq!(arp_answer(&gratuitous_arp(Form::Reply, MAC, IP), IP), Some(MAC));
        assert_eq!(arp_answer(&gratuitous_arp(Form::Request, MAC, IP), IP), Some(MAC));
        assert_eq!(arp_answer(&arp_probe(MAC, IP), IP), None, "a probe claims nothing");
        assert_eq!(arp_answer(&gratuitous_arp(Form::Reply, MAC, IP), Ipv4Addr::new(10, 99, 0, 102)), None);
    }

    #[test]
    fn cut_frames_are_no_answers() {
        let frame = gratuitous_arp(Form::Reply, MAC, IP);
        for len in 0..32 {
            assert_eq!(arp_answer(&frame[..len], IP), None);
        }
    }

    #[test]
    fn an_advertisement_is_32_bytes_with_override() {
        let packet = neighbour_advertisement(MAC, Ipv6Addr::LOCALHOST);
        assert_eq!((packet.len(), packet[0], packet[4]), (32, 136, 0x20));
        assert_eq!(packet[24..], [2, 1, 2, 0, 0x0a, 0x63, 0, 1]);
    }
}
