//! A request and lines that come back.

use super::*;

#[tokio::test]
async fn simpletcp_looks_at_each_line() {
    // Answers when it has seen the end.
    let port = serve(|mut s| {
        let mut all = String::new();
        s.read_to_string(&mut all).unwrap();
        let _ = s.write_all(format!("you said\r\nP{}\r\n", all.replace('\n', "/")).as_bytes());
    });
    assert!(asked(simple(false, "PING\nmore\n", Some("^PPING/more/$")), port).await.up);
    assert!(asked(simple(false, "", None), port).await.up);
    let v = asked(simple(false, "PING", Some("PONG")), port).await;
    assert!(!v.up && v.text == "/PONG/ is not in the 2 lines of the answer", "{v:?}");
    let echo = packets(|p| Some(p.to_vec()));
    assert!(asked(simple(true, "PING\n", Some("^PI.G$")), echo).await.up);
    assert!(!ask_within(simple(true, "PING\n", Some("PONG")), echo, SHORT).await.up);
}
