//! Each service against a server that the test plays: right, wrong, with the wrong password, garbage, without end, hanging,
//! and where nobody listens.

mod banners;
mod dns;
mod ftp;
mod ldap;
mod mailboxes;
mod proxy;
mod radius;
mod simpletcp;
mod sip;
mod sql;
mod tls;

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
