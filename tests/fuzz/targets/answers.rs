//! What servers answer to checks.

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::rdata::{A, AAAA, PTR};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use lvs_ha::checks::dns::{Answers, answers};
use lvs_ha::checks::{answer, radius};
use md5::{Digest as _, Md5};

pub fn lines() -> Vec<Vec<u8>> {
    [
        "220 mail.example.org ESMTP\r\n",
        "250-mail.example.org\r\n250-SIZE 1000\r\n250 HELP\r\n",
        "421 too busy\r\n",
        "+OK POP3 <1896.697170952@example.org>\r\n",
        "-ERR no\r\n",
        "* OK IMAP4rev1 ready\r\n",
        "a1 OK LOGIN completed\r\n",
        "a1 NO wrong password\r\n",
        "227 Entering Passive Mode (10,0,0,2,19,137)\r\n",
        "229 Entering Extended Passive Mode (|||5001|)\r\n",
    ]
    .map(|s| s.as_bytes().to_vec())
    .to_vec()
}

/// What is shown of an answer is one short line; what was taken for a reply was there; a stamp has brackets and stands in
/// its greeting.
pub fn line(bytes: &[u8]) {
    let one = |text: &str| assert!(!text.contains(['\n', '\r', '\x1b']), "{text:?}");
    if let Ok(Some((reply, taken))) = answer::reply(bytes) {
        assert!(taken > 0 && taken <= bytes.len());
        let again = answer::reply(&bytes[..taken]);
        assert_eq!(
            again.map(|r| r.map(|(reply, n)| (reply.good(), n))),
            Ok(Some((reply.good(), taken))),
            "by itself it is the same"
        );
    }
    let (Ok(text) | Err(text)) = answer::pop(bytes);
    one(&text);
    let (Ok(text) | Err(text)) = answer::imap_greeting(bytes);
    one(&text);
    if let Ok(Some(text)) | Err(text) = answer::imap_end(bytes, "a1") {
        one(&text);
        assert!(bytes.starts_with(b"a1 "));
    }
    if let Some(stamp) = answer::pop_stamp(bytes) {
        assert!(stamp.starts_with(b"<") && stamp.ends_with(b">"));
        assert!(bytes.windows(stamp.len()).any(|w| w == stamp));
    }
    assert_ne!(answer::ftp_port(&String::from_utf8_lossy(bytes)), Some(0));
}

pub fn sips() -> Vec<Vec<u8>> {
    ["SIP/2.0 200 OK\r\n\r\n", "SIP/2.0 100 Trying\r\n\r\nSIP/2.0 200 OK\r\n", "SIP/2.0 404 Not Found\r\n", "SIP/2."]
        .map(|s| s.as_bytes().to_vec())
        .to_vec()
}

/// What more arrives does not change what has come of an answer.
pub fn sip(bytes: &[u8]) {
    let whole = answer::sip(bytes);
    for end in (0..bytes.len()).filter(|n| bytes[..*n].ends_with(b"\n")) {
        match answer::sip(&bytes[..end]) {
            Ok(None) => {}
            settled => assert_eq!(settled, whole),
        }
    }
}

const ID: u16 = 0x1234;

/// The questions that are asked.
fn questions() -> [(Name, RecordType); 3] {
    let www = Name::from_ascii("www.example.org.").unwrap();
    let address = Name::from_ascii("7.2.0.192.in-addr.arpa.").unwrap();
    [(www.clone(), RecordType::A), (www, RecordType::AAAA), (address, RecordType::PTR)]
}

pub fn dns_packets() -> Vec<Vec<u8>> {
    let data = [
        RData::A(A::new(192, 0, 2, 7)),
        RData::AAAA(AAAA::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7)),
        RData::PTR(PTR(Name::from_ascii("www.example.org.").unwrap())),
    ];
    let packet = |((name, kind), data): ((Name, RecordType), RData)| {
        let mut message = Message::new(ID, MessageType::Response, OpCode::Query);
        message.add_query(Query::query(name.clone(), kind));
        message.answers.push(Record::from_rdata(name, 60, data));
        message.to_vec().unwrap()
    };
    questions().into_iter().zip(data).map(packet).collect()
}

/// Only a packet of the question's number answers it, and addresses are addresses.
pub fn dns(bytes: &[u8]) {
    for (name, kind) in questions() {
        let Ok(Some(found)) = answers(bytes, ID, &name, kind) else { continue };
        assert_eq!(bytes[..2], ID.to_be_bytes());
        let Answers::Whole(found) = found else { continue };
        for text in &found {
            match kind {
                RecordType::A => assert!(text.parse::<std::net::Ipv4Addr>().is_ok(), "{text:?}"),
                RecordType::AAAA => assert!(text.parse::<std::net::Ipv6Addr>().is_ok(), "{text:?}"),
                _ => assert!(!text.contains('\n'), "{text:?}"),
            }
        }
        assert_eq!(answers(bytes, ID ^ 1, &name, kind), Ok(None), "the answer to another question");
    }
}

const REQUEST: [u8; 16] = [7; 16];

fn signed(mut packet: Vec<u8>) -> Vec<u8> {
    let sum =
        Md5::new().chain_update(&packet[..4]).chain_update(REQUEST).chain_update(&packet[20..]).chain_update("s").finalize();
    packet[4..20].copy_from_slice(&sum);
    packet
}

pub fn radius_packets() -> Vec<Vec<u8>> {
    let packet = |code: u8, attributes: &[u8]| {
        let mut packet = vec![code, 9, 0, u8::try_from(20 + attributes.len()).unwrap()];
        packet.extend([0; 16]);
        packet.extend(attributes);
        packet
    };
    [packet(2, &[]), packet(3, b"\x12\x04no"), packet(11, b"\x18\x03x")].map(signed).to_vec()
}

/// Nobody is let in without the secret; with it, by the code alone.
pub fn radius(bytes: &[u8]) {
    if let Ok(Some(_)) = radius::accepted(bytes, 9, &REQUEST, b"s") {
        assert_eq!(bytes[..2], [2, 9]);
        assert!(!matches!(radius::accepted(bytes, 9, &REQUEST, b"t"), Ok(Some(_))));
    }
    if let Some(length) = bytes.get(2..4).map(|l| usize::from(u16::from_be_bytes([l[0], l[1]])))
        && (20..=bytes.len()).contains(&length)
    {
        let whole = signed(bytes[..length].to_vec());
        assert_eq!(radius::accepted(&whole, whole[1], &REQUEST, b"s").is_ok(), whole[0] == 2);
    }
}
