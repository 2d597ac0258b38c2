//! LDAP.

use super::*;

/// An LDAP server: the bind of `cn=u` with `p`, or of nobody, and one entry.
fn ldap_server(entries: usize) -> u16 {
    serve(move |mut s| {
        let mut buffer = [0; 1024];
        while let Ok(n) = s.read(&mut buffer) {
            let Some(message) = buffer.get(..n).filter(|m| m.len() > 6) else { return };
            let (id, operation) = (message[4], message[5]);
            let result = |tag: u8, code: u8| vec![0x30, 12, 2, 1, id, tag, 7, 0x0a, 1, code, 4, 0, 4, 0];
            let holds = |text: &[u8]| message.windows(text.len()).any(|w| w == text);
            let answer = match operation {
                0x60 if holds(b"cn=u") && !holds(b"\x80\x01p") => result(0x61, 49),
                0x60 => result(0x61, 0),
                0x63 => {
                    let entry = [&[0x30, 16, 2, 1, id, 0x64, 11, 4, 7][..], b"dc=test", &[0x30, 0]].concat();
                    [entry.repeat(entries), result(0x65, 0)].concat()
                }
                _ => return,
            };
            let _ = s.write_all(&answer);
        }
    })
}

#[tokio::test]
async fn ldap_binds_and_wants_one_entry() {
    let port = ldap_server(1);
    for (login, receive, up, why) in [
        (None, None, true, "dc=test"),
        (None, Some("dc=te.t$"), true, "dc=test"),
        (None, Some("other"), false, "/other/ is not"),
        (Some(("cn=u", "p")), None, true, "dc=test"),
        (Some(("cn=u", "x")), None, false, "bind"),
    ] {
        let v = asked(ldap(login, receive), port).await;
        assert!(v.up == up && v.text.contains(why), "{why}: {v:?}");
    }
    for (entries, why) in [(0, "0 entries"), (2, "2 entries")] {
        let v = asked(ldap(None, None), ldap_server(entries)).await;
        assert!(!v.up && v.text.contains(why), "{v:?}");
    }
}
