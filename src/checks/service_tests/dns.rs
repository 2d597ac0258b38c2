//! DNS.

use super::*;

/// A DNS server's answer: `www.example.org` and its address.
fn dns_answer(packet: &[u8]) -> Option<Vec<u8>> {
    let asked = Message::from_vec(packet).unwrap();
    let query = asked.queries[0].clone();
    let mut answer = Message::new(asked.metadata.id, MessageType::Response, OpCode::Query);
    let data = match (query.name().to_string().as_str(), query.query_type()) {
        ("www.example.org.", RecordType::A) => Some(RData::A(A::new(192, 0, 2, 7))),
        ("www.example.org." | "six.example.org.", RecordType::AAAA) => {
            Some(RData::AAAA(AAAA::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7)))
        }
        ("7.2.0.192.in-addr.arpa.", RecordType::PTR) => Some(RData::PTR(PTR(Name::from_ascii("www.example.org.").unwrap()))),
        _ => None,
    };
    answer.answers.extend(data.map(|d| Record::from_rdata(query.name().clone(), 60, d)));
    answer.add_query(query);
    Some(answer.to_vec().unwrap())
}

#[tokio::test]
async fn dns_finds_addresses_and_names_over_udp_and_tcp() {
    let udp = packets(dns_answer);
    let tcp = serve(|mut s| {
        let mut length = [0; 2];
        while s.read_exact(&mut length).is_ok() {
            let mut packet = vec![0; usize::from(u16::from_be_bytes(length))];
            s.read_exact(&mut packet).unwrap();
            let answer = dns_answer(&packet).unwrap();
            let _ = s.write_all(&u16::try_from(answer.len()).unwrap().to_be_bytes());
            let _ = s.write_all(&answer);
        }
    });
    for (name, receive, up) in [
        ("www.example.org", Some(r"192\.0\.2\.[17]$"), true),
        ("six.example.org", Some("^2001:db8::7$"), true),
        // Whoever has an A is judged by it.
        ("www.example.org", Some("^2001:db8::7$"), false),
        ("www.example.org", Some(r"192\.0\.2\.1$"), false),
        ("192.0.2.7", Some("^www.example.org$"), true),
        ("192.0.2.8", Some("."), false),
        ("other.example.org", Some("."), false),
        ("www.example.org", None, false),
        ("not..a name", Some("."), false),
    ] {
        for (over_udp, port) in [(true, udp), (false, tcp)] {
            let v = asked(dns(over_udp, name, receive), port).await;
            assert_eq!(v.up, up, "{name} {receive:?} udp={over_udp}: {v:?}");
        }
    }
    let other = packets(|p| {
        dns_answer(p).map(|mut a| {
            a[0] ^= 1;
            a
        })
    });
    assert!(!ask_within(dns(true, "www.example.org", Some(".")), other, SHORT).await.up, "the answer to another question");
}
