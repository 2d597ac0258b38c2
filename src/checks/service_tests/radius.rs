//! RADIUS.

use super::*;

/// A RADIUS server that accepts everything that has the right password of `s` and `p`.
fn radius_answer(packet: &[u8]) -> Option<Vec<u8>> {
    let authenticator = &packet[4..20];
    let key = Md5::new().chain_update("s").chain_update(authenticator).finalize();
    // User-Name "nemo", then User-Password.
    let password: Vec<u8> = packet[28..44].iter().zip(key).map(|(a, b)| a ^ b).collect();
    let code = if password.starts_with(b"p\0") { 2 } else { 3 };
    let head = [code, packet[1], 0, 20];
    let sum = Md5::new().chain_update(head).chain_update(authenticator).chain_update("s").finalize();
    Some([&head[..], &sum[..]].concat())
}

#[tokio::test]
async fn radius_wants_an_accept() {
    let port = packets(radius_answer);
    let v = asked(radius("p", "s"), port).await;
    assert!(v.up, "{v:?}");
    let v = asked(radius("wrong", "s"), port).await;
    assert!(!v.up && v.text == "Access-Reject", "{v:?}");
    let v = asked(radius("p", "other"), port).await;
    assert!(!v.up && v.text.contains("not signed"), "{v:?}");
}
