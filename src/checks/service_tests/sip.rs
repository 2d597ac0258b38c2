//! SIP.

use super::*;

#[tokio::test]
async fn sip_wants_200_over_udp_and_tcp() {
    let udp = packets(|p| {
        p.starts_with(b"OPTIONS sip:me@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:")
            .then(|| b"SIP/2.0 200 OK\r\n\r\n".to_vec())
    });
    assert!(asked(sip(true), udp).await.up);
    let busy = packets(|_| Some(b"SIP/2.0 503 Service Unavailable\r\n\r\n".to_vec()));
    let v = asked(sip(true), busy).await;
    assert!(!v.up && v.text == "SIP/2.0 503 Service Unavailable", "{v:?}");
    let tcp = serve(|mut s| {
        let mut lines = BufReader::new(s.try_clone().unwrap()).lines();
        while lines.next().is_some_and(|l| !l.unwrap().is_empty()) {}
        let _ = s.write_all(b"SIP/2.0 100 Trying\r\n\r\nSIP/2.0 200 OK\r\n");
        std::thread::sleep(LONG);
    });
    assert!(asked(sip(false), tcp).await.up);
}
