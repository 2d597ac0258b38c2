//! SMTP and NNTP.

use super::*;

#[tokio::test]
async fn smtp_wants_a_greeting_and_a_hello() {
    for (greeting, answers, up) in [
        ("220 mail\r\n", &[("EHLO ", "250-mail\r\n250 SIZE\r\n"), ("QUIT", "221 bye\r\n")][..], true),
        ("220-hello\r\n220 mail\r\n", &[("EHLO ", "502 no\r\n"), ("HELO ", "250 mail\r\n")], true),
        ("220 mail\r\n", &[("EHLO ", "502 no\r\n"), ("HELO ", "550 no\r\n")], false),
        ("421 busy\r\n", &[("EHLO ", "250 mail\r\n")], false),
        ("+OK pop\r\n", &[], false),
    ] {
        let v = asked(Kind::Smtp, talk(greeting, answers)).await;
        assert_eq!(v.up, up, "{greeting} {v:?}");
    }
    let v = asked(Kind::Smtp, talk("421 too busy\r\n", &[])).await;
    assert_eq!(v.text, "421 too busy");
}

#[tokio::test]
async fn nntp_wants_a_greeting_of_2xx() {
    for (greeting, up) in [("200 news\r\n", true), ("201 read only\r\n", true), ("400 down\r\n", false), ("hello\r\n", false)] {
        let v = asked(Kind::Nntp, talk(greeting, &[])).await;
        assert_eq!(v.up, up, "{v:?}");
    }
}
