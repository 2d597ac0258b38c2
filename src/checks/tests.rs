//! Each kind against servers of the test's own on the loopback interface.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;

use super::spec::{Http, Tls};
use super::*;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A server that reads a request's head and hands the connection to `answer`; the requests end in the returned list.
fn serve(answer: impl Fn(&mut TcpStream, &str) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind((HERE, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = std::sync::Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = answer.clone();
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
                    head.push(byte[0]);
                }
                answer(&mut stream, &String::from_utf8_lossy(&head));
            });
        }
    });
    port
}

fn respond(stream: &mut TcpStream, status: &str, headers: &str, body: &str) {
    let length = body.len();
    let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n{body}");
}

fn spec(kind: Kind, port: u16, timeout: Duration) -> Spec {
    Spec { kind, addr: HERE, port, timeout }
}

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);

fn http(path: &str, host: Option<&str>, receive: Option<&str>) -> Http {
    Http { tls: None, head: false, path: path.into(), proxy: false, host: host.map(Into::into), receive: receive.map(Into::into) }
}

async fn get(port: u16, path: &str, receive: Option<&str>) -> Verdict {
    run(&spec(Kind::Http(http(path, None, receive)), port, LONG)).await
}

fn closed_port() -> u16 {
    TcpListener::bind((HERE, 0)).unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn connect_says_whether_somebody_listens() {
    let port = serve(|_, _| {});
    let v = run(&spec(Kind::Connect, port, LONG)).await;
    assert!(v.up, "{v:?}");
    let v = run(&spec(Kind::Connect, closed_port(), LONG)).await;
    assert!(!v.up && v.text.contains("refused"), "{v:?}");
    let v = run(&spec(Kind::Connect, 0, LONG)).await;
    assert!(!v.up && v.text.contains("port"), "{v:?}");
}

#[tokio::test]
async fn http_wants_2xx_and_the_pattern() {
    let port = serve(|s, head| match head.split(' ').nth(1).unwrap() {
        "/ok" => respond(s, "200 OK", "", "the quick\nbrown fox\n"),
        "/created" => respond(s, "201 Created", "", ""),
        "/missing" => respond(s, "404 Not Found", "", "quick"),
        "/broken" => {
            let _ = write!(s, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nquick");
        }
        _ => respond(s, "500 Internal Server Error", "", ""),
    });
    for (path, receive, up) in [
        ("/ok", None, true),
        ("/ok", Some("qu[iy]ck"), true),
        ("/ok", Some("fox$"), true),
        ("/ok", Some("(?i)BROWN"), true),
        ("/ok", Some("slow"), false),
        ("/created", None, true),
        ("/missing", Some("quick"), false),
        ("/broken", Some("quick"), true),
        ("/broken", Some("slow"), false),
        ("/other", None, false),
    ] {
        let v = get(port, path, receive).await;
        assert_eq!(v.up, up, "{path} {receive:?}: {v:?}");
    }
    let v = get(port, "/missing", None).await;
    assert_eq!(v.text, "404 Not Found");
    let v = get(closed_port(), "/", None).await;
    assert_eq!((v.up, v.text.as_str()), (false, "tcp connect error: Connection refused (os error 111)"));
}

#[tokio::test]
async fn http_names_the_host_without_port_or_the_virtual_host() {
    let port = serve(|s, head| respond(s, "200 OK", "", head));
    let pattern = r"^GET /x\?y=1 HTTP/1\.1\r\n(?s:.*)host: 127\.0\.0\.1\r\n";
    let v = get(port, "/x?y=1", Some(&format!("(?i){pattern}"))).await;
    assert!(v.up, "{v:?}");
    let question = http("/", Some("www.example.org"), Some(r"(?i)host: www\.example\.org\r\n"));
    let v = run(&spec(Kind::Http(question), port, LONG)).await;
    assert!(v.up, "{v:?}");
}

#[tokio::test]
async fn http_head_has_no_body_to_match() {
    let port = serve(|s, head| respond(s, "200 OK", "", if head.starts_with("HEAD ") { "" } else { "no" }));
    for (receive, up) in [(None, true), (Some("x"), false)] {
        let question = Http { head: true, ..http("/", None, receive) };
        let v = run(&spec(Kind::Http(question), port, LONG)).await;
        assert_eq!(v.up, up, "{v:?}");
    }
}

#[tokio::test]
async fn redirects_are_followed_without_the_virtual_host_and_not_for_ever() {
    let port = serve(|s, head| match head.split(' ').nth(1).unwrap() {
        "/start" => respond(s, "302 Found", "Location: /end\r\n", ""),
        "/end" => respond(s, "200 OK", "", head),
        _ => respond(s, "301 Moved", "Location: /loop\r\n", ""),
    });
    let question = http("/start", Some("www.example.org"), Some(r"(?i)host: 127\.0\.0\.1:\d+\r\n"));
    let v = run(&spec(Kind::Http(question), port, LONG)).await;
    assert!(v.up, "{v:?}");
    let v = get(port, "/loop", None).await;
    assert!(!v.up && v.text.starts_with("301"), "{v:?}");
}

#[tokio::test]
async fn bodies_without_end_are_cut_and_garbage_is_down() {
    let port = serve(|s, _| {
        let _ = write!(s, "HTTP/1.1 200 OK\r\n\r\nOK");
        while s.write_all(&[b'x'; 65536]).is_ok() {}
    });
    assert!(get(port, "/", Some("^OK")).await.up);
    assert!(!get(port, "/", Some("never")).await.up);
    let port = serve(|s, _| {
        let _ = s.write_all(b"220 mail.example.org ESMTP\r\n");
    });
    assert!(!get(port, "/", None).await.up);
    let port = serve(|_, _| {});
    assert!(!get(port, "/", None).await.up, "an answer of no bytes");
}

#[tokio::test]
async fn a_server_that_never_answers_is_down_at_the_limit_and_holds_up_no_other() {
    let hang = serve(|_, _| std::thread::sleep(LONG));
    let slow_body = serve(|s, _| {
        let _ = write!(s, "HTTP/1.1 200 OK\r\n\r\nOK");
        std::thread::sleep(LONG);
    });
    let good = serve(|s, _| respond(s, "200 OK", "", "OK"));
    let hanging: Vec<_> = [hang, slow_body]
        .map(|port| tokio::spawn(async move { run(&spec(Kind::Http(http("/", None, Some("OK"))), port, SHORT)).await }))
        .into();
    assert!(get(good, "/", Some("OK")).await.up);
    for v in hanging {
        let v = v.await.unwrap();
        assert!(!v.up && v.text.contains("within 0.3 s") && v.took >= SHORT, "{v:?}");
    }
}

#[tokio::test]
async fn https_to_a_plain_port_is_down() {
    let listener = TcpListener::bind((HERE, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || respond(&mut listener.accept().unwrap().0, "200 OK", "", "OK"));
    let question = Http { tls: Some(Tls::default()), ..http("/", None, None) };
    let v = run(&spec(Kind::Http(question), port, LONG)).await;
    assert!(!v.up && !v.text.contains("within"), "{v:?}");
}

#[tokio::test]
async fn a_pattern_that_does_not_compile_is_a_verdict_not_an_end() {
    let port = serve(|s, _| respond(s, "200 OK", "", "OK"));
    let v = get(port, "/", Some("(unclosed")).await;
    assert!(!v.up && v.text.contains("(unclosed"), "{v:?}");
}

/// A shell script with the path it is at.
fn script(text: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("check");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let name = path.to_str().unwrap().to_owned();
    (dir, name)
}

async fn external(text: &str, args: &[&str], timeout: Duration) -> Verdict {
    let (_dir, command) = script(text);
    let args = args.iter().map(|s| (*s).to_owned()).collect();
    run(&spec(Kind::External { command, args }, 0, timeout)).await
}

#[tokio::test]
async fn external_commands_are_up_with_exit_status_0_alone() {
    let args = ["10.0.0.1", "80", "[fd00::1]", "8080"];
    let all = r#"[ "$1,$2,$3,$4,$#" = "10.0.0.1,80,[fd00::1],8080,4" ]"#;
    let v = external(all, &args, LONG).await;
    assert!(v.up, "{v:?}");
    for (text, why) in [("exit 3", "exit status: 3"), ("kill -9 $$", "signal: 9")] {
        let v = external(text, &args, LONG).await;
        assert!(!v.up && v.text.contains(why), "{v:?}");
    }
    let command = "/nonexistent/check".to_owned();
    let v = run(&spec(Kind::External { command, args: vec![] }, 0, LONG)).await;
    assert!(!v.up && v.text.contains("cannot run"), "{v:?}");
}

#[tokio::test]
async fn external_commands_end_at_the_limit_with_their_children() {
    let dir = tempfile::tempdir().unwrap();
    let pids = dir.path().join("pids");
    // Both ignore the polite signal.
    let text = format!("trap '' TERM\nsleep 61 & echo $$ $! > {}\nwait", pids.display());
    let v = external(&text, &[], Duration::from_secs(2)).await;
    assert!(!v.up && v.text.contains("within 2 s"), "{v:?}");
    let written = std::fs::read_to_string(&pids).unwrap();
    let gone = |pid: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    };
    for _ in 0..100 {
        if written.split_whitespace().all(gone) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("still there: {written}");
}

#[tokio::test]
async fn pings_of_this_host_are_answered() {
    // Needs CAP_NET_RAW or a ping_group_range, which neither all users nor all containers have: then the verdict has to say so.
    let addresses: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    for addr in addresses {
        let v = run(&Spec { kind: Kind::Ping { attempts: 2 }, addr, port: 0, timeout: Duration::from_secs(10) }).await;
        let excused = v.text.contains("not permitted") || (addr.is_ipv6() && v.text.contains("ssign requested address"));
        assert!(v.up || excused, "{addr}: {v:?}");
    }
}

#[tokio::test]
async fn a_check_that_panics_is_down() {
    let v = judge(LONG, Recorder::new(false), async { panic!("on purpose") }).await;
    assert!(!v.up && v.text.contains("the check itself failed"), "{v:?}");
}

#[tokio::test]
async fn a_trace_shows_each_step_also_when_the_time_runs_out() {
    let port = serve(|s, _| {
        let _ = write!(s, "HTTP/1.1 200 OK\r\n\r\nhello");
        std::thread::sleep(LONG);
    });
    let question = http("/x?y", Some("www.example.org"), None);
    let (v, steps) = run_traced(&spec(Kind::Http(question), port, SHORT)).await;
    assert!(!v.up && v.text.contains("reading the body"), "{v:?}");
    let shown: Vec<String> = steps
        .iter()
        .map(|s| match &s.event {
            trace::Event::Note(text) => text.clone(),
            trace::Event::Sent { bytes, .. } | trace::Event::Received { bytes, .. } => {
                String::from_utf8_lossy(bytes).into_owned()
            }
        })
        .collect();
    let request = "GET /x?y HTTP/1.1\r\nHost: www.example.org\r\n";
    assert_eq!(shown, ["will ask: GET /x?y, Host: www.example.org", request, "HTTP/1.1 200 OK\r\n"]);
    let (v, steps) = run_traced(&spec(Kind::Connect, closed_port(), LONG)).await;
    assert!(!v.up && steps.is_empty(), "{steps:?}");
}

async fn perl(text: &str, args: &[&str]) -> Verdict {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("check.pl");
    std::fs::write(&file, text).unwrap();
    let args = args.iter().map(|s| (*s).to_owned()).collect();
    run(&spec(Kind::ExternalPerl { file: file.to_str().unwrap().to_owned(), args }, 0, LONG)).await
}

#[tokio::test]
async fn a_perl_file_is_a_function_that_exit_and_die_end() {
    let args = ["10.0.0.1", "80", "10.0.0.2", "8080"];
    for (text, up) in [
        ("#!/usr/bin/perl\nexit($ARGV[2] eq '10.0.0.2' ? 0 : 1);\n", true),
        ("exit($_[3] == 8080 ? 2 : 0)", false),
        ("exit 256", false),
        ("exit", true),
        ("sub inner { exit 1 } inner(); exit 0", false),
        ("return 7; exit 1", true),
        ("1", true),
        ("", true),
        ("kill 9, $$", false),
    ] {
        let v = perl(text, &args).await;
        assert_eq!(v.up, up, "{text}: {v:?}");
    }
    for (text, why) in [("die \"no database\\n\"", "no database"), ("$x = ;", "line 1"), ("sub {", "line")] {
        let v = perl(text, &args).await;
        assert!(!v.up && v.text.contains(why), "{text}: {v:?}");
    }
    let file = "/nonexistent/check.pl".to_owned();
    let v = run(&spec(Kind::ExternalPerl { file, args: vec![] }, 0, LONG)).await;
    assert!(!v.up && v.text.contains("cannot open /nonexistent/check.pl"), "{v:?}");
}
