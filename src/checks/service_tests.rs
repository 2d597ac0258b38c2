//! Each service against a server that the test plays: right, wrong, with the wrong password, garbage, without end, hanging,
//! and where nobody listens.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;

use hickory_proto::op::{Message, MessageType, OpCode};
use hickory_proto::rr::rdata::{A, AAAA, PTR};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use md5::{Digest as _, Md5};

use super::spec::*;
use super::*;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);

/// A server that does `what` with each connection.
fn serve(what: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind((HERE, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let what = Arc::new(what);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let what = what.clone();
            std::thread::spawn(move || what(stream.unwrap()));
        }
    });
    port
}

/// A server of lines: a greeting, and to each line what stands behind the first beginning that fits.
fn talk(greeting: &'static str, answers: &'static [(&'static str, &'static str)]) -> u16 {
    serve(move |mut stream| {
        let _ = stream.write_all(greeting.as_bytes());
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        for line in lines.map_while(Result::ok) {
            let found = answers.iter().find(|(begin, _)| line.starts_with(begin));
            let answer = found.map_or("500 what?\r\n", |(_, answer)| *answer);
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    })
}

/// A server of packets; no answer to those that `answer` has none for.
fn packets(answer: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + 'static) -> u16 {
    let socket = UdpSocket::bind((HERE, 0)).unwrap();
    let port = socket.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((n, from)) = socket.recv_from(&mut buffer) {
            if let Some(bytes) = answer(&buffer[..n]) {
                let _ = socket.send_to(&bytes, from);
            }
        }
    });
    port
}

fn closed_port() -> u16 {
    TcpListener::bind((HERE, 0)).unwrap().local_addr().unwrap().port()
}

async fn ask_within(kind: Kind, port: u16, timeout: Duration) -> Verdict {
    run(&Spec { kind, addr: HERE, port, timeout }).await
}

async fn asked(kind: Kind, port: u16) -> Verdict {
    ask_within(kind, port, LONG).await
}

fn mailbox(login: Option<(&str, &str)>) -> Mailbox {
    Mailbox { tls: None, login: login.map(|(name, passwd)| (name.to_owned(), Secret::new(passwd))) }
}

fn ftp(passwd: &str, request: &str, receive: Option<&str>) -> Kind {
    Kind::Ftp(Ftp { login: "u".into(), passwd: Secret::new(passwd), request: request.into(), receive: receive.map(Into::into) })
}

fn simple(udp: bool, request: &str, receive: Option<&str>) -> Kind {
    Kind::SimpleTcp(SimpleTcp { udp, request: request.into(), receive: receive.map(Into::into) })
}

fn dns(udp: bool, name: &str, receive: Option<&str>) -> Kind {
    Kind::Dns(Dns { udp, name: name.into(), receive: receive.map(Into::into) })
}

fn ldap(login: Option<(&str, &str)>, receive: Option<&str>) -> Kind {
    let login = login.map(|(name, passwd)| (name.to_owned(), Secret::new(passwd)));
    Kind::Ldap(Ldap { tls: None, login, base: "dc=test".into(), receive: receive.map(Into::into) })
}

fn sql(engine: Engine) -> Kind {
    let (login, passwd) = ("u".to_owned(), Secret::new("p"));
    Kind::Sql(Sql { engine, login, passwd, database: "d".into(), query: "SELECT 1".into() })
}

fn sip(udp: bool) -> Kind {
    Kind::Sip(Sip { udp, login: "me@example.org".into() })
}

fn radius(passwd: &str, secret: &str) -> Kind {
    Kind::Radius(Radius { login: "nemo".into(), passwd: Secret::new(passwd), secret: Secret::new(secret) })
}

/// One of each that goes over TCP.
fn over_tcp() -> Vec<Kind> {
    vec![
        Kind::Smtp,
        Kind::Nntp,
        Kind::Pop(mailbox(None)),
        Kind::Pop(Mailbox { tls: Some(Tls::default()), login: None }),
        Kind::Imap(mailbox(Some(("u", "p")))),
        ftp("p", "f", Some("x")),
        simple(false, "PING\n", Some("^never$")),
        dns(false, "www.example.org", Some(".")),
        ldap(None, None),
        sql(Engine::Mysql),
        sql(Engine::Pgsql),
        sip(false),
        Kind::Http(Http { tls: None, head: false, path: "http://h/".into(), proxy: true, host: None, receive: None }),
    ]
}

#[tokio::test]
async fn nobody_there_is_down_at_once() {
    for kind in over_tcp() {
        let v = asked(kind.clone(), closed_port()).await;
        assert!(!v.up && v.text.contains("refused"), "{kind:?} {v:?}");
        let v = asked(kind.clone(), 0).await;
        assert!(!v.up, "{kind:?} {v:?}");
    }
    let nobody = UdpSocket::bind((HERE, 0)).unwrap().local_addr().unwrap().port();
    for kind in [simple(true, "x", None), dns(true, "a", Some(".")), sip(true), radius("p", "s")] {
        let v = asked(kind.clone(), nobody).await;
        assert!(!v.up && v.text.contains("refused"), "{kind:?} {v:?}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_down_at_the_limit() {
    let hang = serve(|_stream| std::thread::sleep(LONG));
    let silent = packets(|_| None);
    let udp = [simple(true, "x", None), dns(true, "a", Some(".")), sip(true), radius("p", "s")];
    let all = over_tcp().into_iter().map(|k| (k, hang)).chain(udp.into_iter().map(|k| (k, silent)));
    let tasks: Vec<_> = all.map(|(k, port)| tokio::spawn(async move { (ask_within(k.clone(), port, SHORT).await, k) })).collect();
    for task in tasks {
        let (v, kind) = task.await.unwrap();
        assert!(!v.up && v.text.contains("no answer within 0.3 s ("), "{kind:?} {v:?}");
    }
}

#[tokio::test]
async fn garbage_and_silence_with_an_end_are_down() {
    let garbage = serve(|mut s| {
        let _ = s.write_all(b"\x00\xff\x16\x03garbage\r\n\r\n\x80\x80");
        let mut sink = [0; 4096];
        s.set_read_timeout(Some(SHORT)).unwrap();
        let _ = s.read(&mut sink);
    });
    let empty = serve(drop);
    for kind in over_tcp() {
        for port in [garbage, empty] {
            let v = ask_within(kind.clone(), port, Duration::from_secs(5)).await;
            assert!(!v.up, "{kind:?} {v:?}");
        }
    }
}

#[tokio::test]
async fn answers_without_end_are_cut() {
    for flood in
        [&b"xxxxxxxx"[..], b"220-x\r\n", b"+OK\r\n+ x\r\n", b"* OK x\r\n", b"SIP/2.0 100 x\r\n", b"\x30\x84\x7f\xff\xff\xff"]
    {
        let port = serve(move |mut s| {
            let block = flood.repeat(1000);
            while s.write_all(&block).is_ok() {}
        });
        for kind in over_tcp() {
            let v = ask_within(kind.clone(), port, Duration::from_secs(30)).await;
            assert!(!v.up || matches!(kind, Kind::Pop(_)), "{flood:?} {kind:?} {v:?}");
        }
    }
}

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

/// An FTP server with one file, whose data connections are passive.
fn ftp_server() -> u16 {
    serve(|mut s| {
        let _ = s.write_all(b"220-hello\r\n220 ftp\r\n");
        let mut data = None;
        for line in BufReader::new(s.try_clone().unwrap()).lines().map_while(Result::ok) {
            let answer = match line.as_str() {
                "USER u" => "331 password\r\n".to_owned(),
                "PASS p" => "230 in\r\n".to_owned(),
                "PASV" => {
                    let listener = TcpListener::bind((HERE, 0)).unwrap();
                    let [high, low] = listener.local_addr().unwrap().port().to_be_bytes();
                    data = Some(listener);
                    // An address that leads nowhere: that of the control connection counts.
                    format!("227 Entering Passive Mode (192,0,2,1,{high},{low})\r\n")
                }
                "RETR ok.txt" => {
                    s.write_all(b"150 here\r\n").unwrap();
                    data.take().unwrap().accept().unwrap().0.write_all(b"all is fine\n").unwrap();
                    "226 done\r\n".to_owned()
                }
                line if line.starts_with("RETR") => "550 no such file\r\n".to_owned(),
                line if line.starts_with("PASS") => "530 wrong\r\n".to_owned(),
                _ => "200 ok\r\n".to_owned(),
            };
            let _ = s.write_all(answer.as_bytes());
        }
    })
}

#[tokio::test]
async fn ftp_fetches_the_file_passively() {
    let port = ftp_server();
    for (kind, up, why) in [
        (ftp("p", "ok.txt", Some("fine$")), true, "ok.txt: 12 bytes"),
        (ftp("p", "ok.txt", Some("bad")), false, "/bad/ is not in the 12 bytes"),
        (ftp("p", "none", Some(".")), false, "550 no such file"),
        (ftp("p", "", None), true, "230 in"),
        (ftp("wrong", "ok.txt", Some("fine")), false, "530 wrong"),
    ] {
        let v = asked(kind, port).await;
        assert!(v.up == up && v.text.contains(why), "{why}: {v:?}");
    }
}

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

/// A PostgreSQL server that lets everybody in who gives a password and answers with so many rows.
fn pgsql_server(rows: usize) -> u16 {
    serve(move |mut s| {
        let mut buffer = [0; 1024];
        let _ = s.read(&mut buffer);
        let _ = s.write_all(b"R\0\0\0\x08\0\0\0\x03");
        let n = s.read(&mut buffer).unwrap_or(0);
        if &buffer[..n] != b"p\0\0\0\x06p\0" {
            let _ = s.write_all(b"E\0\0\0\x1aSFATAL\0C28P01\0Mwrong\0\0");
            return;
        }
        let _ = s.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I");
        let _ = s.read(&mut buffer);
        let _ = s.write_all(b"T\0\0\0\x1a\0\x01a\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0");
        for _ in 0..rows {
            if s.write_all(b"D\0\0\0\x0b\0\x01\0\0\0\x011").is_err() {
                return;
            }
        }
        let _ = s.write_all(b"C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I");
        let _ = s.read(&mut buffer);
    })
}

#[tokio::test]
async fn pgsql_wants_a_row() {
    let v = asked(sql(Engine::Pgsql), pgsql_server(1)).await;
    assert!(v.up, "{v:?}");
    let v = asked(sql(Engine::Pgsql), pgsql_server(usize::MAX)).await;
    assert!(v.up, "no more than one is read: {v:?}");
    let v = asked(sql(Engine::Pgsql), pgsql_server(0)).await;
    assert!(!v.up && v.text == "the query gives no row", "{v:?}");
    let Kind::Sql(mut question) = sql(Engine::Pgsql) else { panic!() };
    question.passwd = Secret::new("x");
    assert!(!asked(Kind::Sql(question), pgsql_server(1)).await.up);
}

/// A MySQL server that lets everybody in and answers with so many rows.
fn mysql_server(rows: usize) -> u16 {
    let packet = |seq: u8, body: &[u8]| {
        let [a, b, c, _] = u32::try_from(body.len()).unwrap().to_le_bytes();
        [&[a, b, c, seq][..], body].concat()
    };
    serve(move |mut s| {
        let greeting = [
            &b"\x0a8.0.0\0\x01\0\0\0abcdefgh\0"[..],
            // Protocol 4.1, secure connection, plugins.
            &[0x08, 0x82, 0x21, 0x02, 0, 0x08, 0, 21],
            &[0; 10],
            b"ijklmnopqrst\0mysql_native_password\0",
        ]
        .concat();
        let _ = s.write_all(&packet(0, &greeting));
        let mut buffer = [0; 1024];
        let _ = s.read(&mut buffer);
        let _ = s.write_all(&packet(2, &[0, 0, 0, 2, 0, 0, 0]));
        let _ = s.read(&mut buffer);
        let column = b"\x03def\0\0\0\x01a\0\x0c\x3f\0\x01\0\0\0\x03\x81\0\0\0\0";
        let eof = [0xfe, 0, 0, 2, 0];
        let mut seq = 3_u8;
        let _ = s.write_all(&[packet(1, &[1]), packet(2, column), packet(3, &eof)].concat());
        for _ in 0..rows {
            seq = seq.wrapping_add(1);
            if s.write_all(&packet(seq, b"\x011")).is_err() {
                return;
            }
        }
        let _ = s.write_all(&packet(seq.wrapping_add(1), &eof));
        let _ = s.read(&mut buffer);
    })
}

#[tokio::test]
async fn mysql_wants_a_row() {
    for (rows, up) in [(1, true), (0, false), (usize::MAX, true)] {
        let v = asked(sql(Engine::Mysql), mysql_server(rows)).await;
        assert_eq!(v.up, up, "{rows} {v:?}");
    }
    let Kind::Sql(mut question) = sql(Engine::Mysql) else { panic!() };
    question.query.clear();
    let v = asked(Kind::Sql(question), 1).await;
    assert!(!v.up && v.text.contains("needs login and request"), "{v:?}");
}

#[tokio::test]
async fn a_proxy_is_asked_for_the_whole_address() {
    let port = serve(|mut s| {
        let mut lines = BufReader::new(s.try_clone().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        while lines.next().is_some_and(|l| !l.unwrap().is_empty()) {}
        let _ = write!(s, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{first}", first.len());
    });
    let question = |path: &str| {
        let receive = Some("^GET http://www.example.org/x HTTP/1.1$".to_owned());
        Kind::Http(Http { tls: None, head: false, path: path.into(), proxy: true, host: None, receive })
    };
    let v = asked(question("http://www.example.org/x"), port).await;
    assert!(v.up, "{v:?}");
    assert!(!asked(question("http://www.example.org/y"), port).await.up);
    assert!(!asked(question("x"), port).await.up);
}

/// A server of lines over TLS, for `www.test` until so many days from now, and its certificate.
fn tls_server(days: i64) -> (u16, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut wanted = rcgen::CertificateParams::new(vec!["www.test".to_owned()]).unwrap();
    let end = jiff::Zoned::now().date().saturating_add(jiff::Span::new().days(days));
    let number = |n: i8| u8::try_from(n).unwrap();
    wanted.not_after = rcgen::date_time_ymd(end.year().into(), number(end.month()), number(end.day()));
    let certificate = wanted.self_signed(&key).unwrap();
    let pem = certificate.pem();
    let der = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], der)
        .unwrap();
    let config = Arc::new(config);
    let port = serve(move |stream| {
        let session = rustls::ServerConnection::new(config.clone()).unwrap();
        let mut stream = rustls::StreamOwned::new(session, stream);
        let name =
            |s: &rustls::StreamOwned<rustls::ServerConnection, TcpStream>| s.conn.server_name().unwrap_or("nobody").to_owned();
        // Shakes hands.
        if stream.flush().is_err() {
            return;
        }
        let greeting = format!("+OK {}\r\n", name(&stream));
        let _ = stream.write_all(greeting.as_bytes());
        let _ = stream.flush();
        let _ = stream.read(&mut [0; 100]);
    });
    (port, pem)
}

#[tokio::test]
async fn tls_verifies_when_asked_and_warns_of_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let pops = |tls: Tls| Kind::Pop(Mailbox { tls: Some(tls), login: None });
    let named = |name: &str| Tls { name: Some(name.to_owned()), ..Tls::default() };
    let (port, pem) = tls_server(400);
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, pem).unwrap();
    let ca = Some(ca.to_str().unwrap().to_owned());
    let v = asked(pops(Tls::default()), port).await;
    assert!(v.up && v.text == "+OK nobody" && v.warning.is_none(), "{v:?}");
    let v = asked(pops(named("www.other")), port).await;
    assert!(v.up && v.text == "+OK www.other", "{v:?}");
    let verify = |name: &str, ca: &Option<String>| Tls { verify: true, ca: ca.clone(), warn_days: 14, ..named(name) };
    let v = asked(pops(verify("www.test", &ca)), port).await;
    assert!(v.up && v.warning.is_none(), "{v:?}");
    for (tls, why) in [
        (verify("www.other", &ca), "not valid for name"),
        (verify("www.test", &Some("/nonexistent".to_owned())), "/nonexistent"),
        (Tls { verify: true, ca: ca.clone(), ..Tls::default() }, "certificate"),
    ] {
        let v = asked(pops(tls), port).await;
        assert!(!v.up && v.text.contains(why), "{why}: {v:?}");
    }
    let (port, pem) = tls_server(5);
    let soon = dir.path().join("soon.pem");
    std::fs::write(&soon, pem).unwrap();
    let soon = Some(soon.to_str().unwrap().to_owned());
    let v = asked(pops(verify("www.test", &soon)), port).await;
    assert!(v.up && v.warning.as_ref().is_some_and(|w| w.contains(" expires on ")), "{v:?}");
    let v = asked(pops(verify("www.test", &ca)), port).await;
    assert!(!v.up, "another authority: {v:?}");
    let (port, _) = tls_server(-5);
    let v = asked(pops(Tls { warn_days: 1, ..Tls::default() }), port).await;
    assert!(v.up && v.warning.as_ref().is_some_and(|w| w.contains(" expired on ")), "{v:?}");
}

#[tokio::test]
async fn passwords_are_in_no_trace_and_no_debug_text() {
    let answers: &[(&str, &str)] = &[("CAPA", "-ERR\r\n"), ("USER", "+OK\r\n"), ("PASS", "+OK\r\n"), ("STAT", "+OK\r\n")];
    let kind = Kind::Pop(mailbox(Some(("u", "sesame"))));
    let spec = Spec { kind, addr: HERE, port: talk("+OK\r\n", answers), timeout: LONG };
    let (v, steps) = run_traced(&spec).await;
    let shown = steps.iter().fold(format!("{spec:?} {v:?}"), |all, s| match &s.event {
        trace::Event::Note(text) => all + text,
        trace::Event::Sent { bytes, .. } | trace::Event::Received { bytes, .. } => all + &String::from_utf8_lossy(bytes),
    });
    assert!(v.up && shown.contains("PASS ***") && !shown.contains("sesame"), "{shown}");
    let written = serde_json::to_string(&spec).unwrap();
    assert_eq!(serde_json::from_str::<Spec>(&written).unwrap(), spec);
}
