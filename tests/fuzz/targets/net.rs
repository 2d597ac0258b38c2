//! Frames and packets of the network, and the small file of the generation.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lvs_ha::director::agent::Agent;
use lvs_ha::net::Mac;
use lvs_ha::net::wire::{Form, arp_answer, arp_probe, gratuitous_arp};
use lvs_ha::state::generation;
use lvs_ha::{checks, media};

const IP: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 101);
const MAC: Mac = Mac([2, 0, 0x0a, 0x63, 0, 1]);

pub fn arp_frames() -> Vec<Vec<u8>> {
    vec![gratuitous_arp(Form::Request, MAC, IP), gratuitous_arp(Form::Reply, MAC, IP), arp_probe(MAC, IP)]
}

/// Only a whole ARP frame whose sender has the address is an answer.
pub fn arp(frame: &[u8]) {
    if let Some(mac) = arp_answer(frame, IP) {
        assert_eq!(frame[12..14], [8, 6]);
        assert_eq!(frame[22..28], mac.0);
        assert_eq!(frame[28..32], IP.octets());
        let other = Ipv4Addr::from_bits(IP.to_bits() + 1);
        assert_eq!(arp_answer(frame, other), None);
        assert_eq!(arp_answer(&gratuitous_arp(Form::Reply, mac, IP), IP), Some(mac));
    }
}

const ID: u16 = 0x1234;

pub fn echoes() -> Vec<Vec<u8>> {
    let mut request = media::ping::request(media::ping::ECHO_REQUEST_V4, ID, 7);
    let header = vec![0x45; 20];
    let mut out = vec![[header.clone(), request.clone()].concat()];
    request[0] = 0;
    out.push([header.clone(), request].concat());
    let mut check = checks::ping::echo_request(IP.into(), ID, 7);
    check[0] = 0;
    out.push([header, check.clone()].concat());
    check[0] = 129;
    out.push(check);
    out
}

/// Only the answer to the question that was asked is one.
pub fn echo(packet: &[u8]) {
    for v4 in [true, false] {
        if let Some(sequence) = media::ping::reply(packet, v4, ID) {
            assert!(packet.windows(4).any(|w| w[..2] == ID.to_be_bytes() && w[2..] == sequence.to_be_bytes()));
        }
        let addr: IpAddr = if v4 { IP.into() } else { Ipv6Addr::LOCALHOST.into() };
        let request = checks::ping::echo_request(addr, ID, 7);
        for raw in [true, false] {
            if checks::ping::is_answer(packet, &request, addr, raw) {
                assert!(packet.ends_with(&request[8..]), "an answer carries the data of the question");
            }
        }
    }
}

pub fn agent_lines() -> Vec<Vec<u8>> {
    ["75%\n", "drain, up 50%", "maint", "ready 100%", "down#disk full 10%", "maxconn:30\r\n"]
        .map(|s| s.as_bytes().to_vec())
        .to_vec()
}

/// Whatever an agent says, a weight stays one, and the same words mean the same twice.
pub fn agent_line(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let agent = Agent::default().heard(&text);
    assert_eq!(agent.heard(&text), agent);
    for weight in [0, 1, 100, 65_535] {
        let part = agent.of(weight);
        assert!(part <= 65_535 && (weight > 0 || part == 0), "{part} of {weight}");
    }
}

pub fn generations() -> Vec<Vec<u8>> {
    ["              1\n", "     1795132648\n", "999999999999999\n", "0", " 12 \0", ""].map(|s| s.as_bytes().to_vec()).to_vec()
}

/// A number, in digits.
pub fn generation(bytes: &[u8]) {
    if let Some(number) = generation::parse(bytes) {
        let text = String::from_utf8_lossy(bytes);
        assert!(text.contains(&number.to_string()));
        assert_eq!(generation::parse(format!("{number:>15}\n").as_bytes()), Some(number));
    }
}
