//! POP3 and IMAP4.

use super::*;

#[tokio::test]
async fn pop_logs_in_by_the_way_that_is_offered() {
    const PLAIN: &[(&str, &str)] = &[
        ("CAPA", "-ERR\r\n"),
        ("USER u", "+OK\r\n"),
        ("PASS right", "+OK\r\n"),
        ("PASS", "-ERR wrong password\r\n"),
        ("STAT", "+OK 0 0\r\n"),
        ("QUIT", "+OK\r\n"),
    ];
    let pop = |passwd| Kind::Pop(mailbox(Some(("u", passwd))));
    assert!(asked(Kind::Pop(mailbox(None)), talk("+OK\r\n", &[])).await.up);
    let v = asked(Kind::Pop(mailbox(None)), talk("-ERR no\r\n", &[])).await;
    assert!(!v.up && v.text == "-ERR no", "{v:?}");
    assert!(asked(pop("right"), talk("+OK\r\n", PLAIN)).await.up);
    let v = asked(pop("wrong"), talk("+OK\r\n", PLAIN)).await;
    assert!(!v.up && v.text == "PASS: -ERR wrong password", "{v:?}");
    // RFC 1939, section 7.
    let greeting = "+OK <1896.697170952@dbc.mtview.ca.us>\r\n";
    let apop: &[(&str, &str)] = &[("APOP u c4c9334bac560ecc979e58001b3e22fb", "+OK\r\n"), ("STAT", "+OK 0 0\r\n")];
    assert!(asked(pop("tanstaaf"), talk(greeting, apop)).await.up);
    assert!(!asked(pop("other"), talk(greeting, apop)).await.up);
    assert!(asked(pop("right"), talk(greeting, PLAIN)).await.up, "no such secret, but the password");
    // RFC 2195, section 2, the user name apart.
    let cram: &[(&str, &str)] = &[
        ("CAPA", "+OK\r\nSASL PLAIN CRAM-MD5\r\n.\r\n"),
        ("AUTH CRAM-MD5", "+ PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\r\n"),
        ("dSBiOTEzYTYwMmM3ZWRhN2E0OTViNGU2ZTczMzRkMzg5MA==", "+OK\r\n"),
        ("STAT", "+OK 0 0\r\n"),
    ];
    assert!(asked(pop("tanstaaftanstaaf"), talk("+OK\r\n", cram)).await.up);
    assert!(!asked(pop("wrong"), talk("+OK\r\n", cram)).await.up);
}

#[tokio::test]
async fn imap_logs_in_and_touches_nothing() {
    const ANSWERS: &[(&str, &str)] = &[
        ("a1 LOGIN \"u\" \"ri\\\"ght\"", "* CAPABILITY IMAP4rev1\r\na1 OK in\r\n"),
        ("a1 LOGIN", "a1 NO wrong\r\n"),
        ("a2 LOGOUT", "* BYE\r\na2 OK\r\n"),
    ];
    let imap = |passwd| Kind::Imap(mailbox(Some(("u", passwd))));
    assert!(asked(Kind::Imap(mailbox(None)), talk("* OK ready\r\n", &[])).await.up);
    assert!(!asked(Kind::Imap(mailbox(None)), talk("* BYE full\r\n", &[])).await.up);
    assert!(asked(imap("ri\"ght"), talk("* OK\r\n", ANSWERS)).await.up);
    let v = asked(imap("wrong"), talk("* OK\r\n", ANSWERS)).await;
    assert!(!v.up && v.text == "LOGIN: NO wrong", "{v:?}");
}
