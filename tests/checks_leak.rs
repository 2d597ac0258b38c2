//! Checks that end at their limit leave nothing behind: no socket, no task, no process. A program of its own, since it counts
//! what the whole process has open.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use lvs_ha::checks;
use lvs_ha::checks::spec::{Dns, Engine, Ftp, Http, Kind, Ldap, Mailbox, Radius, Secret, SimpleTcp, Sip, Spec, Sql, Tls};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Rounds of each check.
const ROUNDS: usize = 1000;
/// Rounds of those that start a process.
const PROCESSES: usize = 100;

/// Each kind of check that waits for a server.
fn kinds() -> Vec<Kind> {
    let tls = || Some(Tls::default());
    let login = || Some(("u".to_owned(), Secret::new("p")));
    let http = |tls, proxy: bool| {
        let path = if proxy { "http://www.example.org/" } else { "/" };
        Kind::Http(Http { tls, head: false, path: path.into(), proxy, host: None, receive: None })
    };
    let sql = |engine| {
        Kind::Sql(Sql { engine, login: "u".into(), passwd: Secret::new("p"), database: "d".into(), query: "SELECT 1".into() })
    };
    let ldap = |tls| Kind::Ldap(Ldap { tls, login: None, base: "dc=test".into(), receive: None });
    let dns = |udp| Kind::Dns(Dns { udp, name: "www.example.org".into(), receive: Some(".".into()) });
    let simple = |udp| Kind::SimpleTcp(SimpleTcp { udp, request: "x".into(), receive: Some("x".into()) });
    vec![
        http(None, false),
        http(tls(), false),
        http(None, true),
        Kind::Smtp,
        Kind::Nntp,
        Kind::Pop(Mailbox { tls: None, login: login() }),
        Kind::Pop(Mailbox { tls: tls(), login: login() }),
        Kind::Imap(Mailbox { tls: None, login: login() }),
        Kind::Imap(Mailbox { tls: tls(), login: login() }),
        Kind::Ftp(Ftp { login: "u".into(), passwd: Secret::new("p"), request: "f".into(), receive: None }),
        ldap(None),
        ldap(tls()),
        sql(Engine::Mysql),
        sql(Engine::Pgsql),
        dns(true),
        dns(false),
        simple(true),
        simple(false),
        Kind::Sip(Sip { udp: true, login: String::new() }),
        Kind::Sip(Sip { udp: false, login: String::new() }),
        Kind::Radius(Radius { login: "u".into(), passwd: Secret::new("p"), secret: Secret::new("s") }),
    ]
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

async fn rounds(kind: &Kind, port: u16, count: usize, timeout: Duration) {
    let spec = Spec { kind: kind.clone(), addr: HERE, port, timeout };
    let all = futures_util::stream::iter(0..count).map(|_| checks::run(&spec)).buffer_unordered(50);
    let up = all.filter(|v| std::future::ready(v.up)).count().await;
    assert_eq!(up, 0, "{kind:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_at_its_limit_leaves_nothing_behind() {
    // Both take what comes and never answer. The connections are this process's too, and end when the check's side does.
    let tcp = TcpListener::bind((HERE, 0)).unwrap();
    let udp = UdpSocket::bind((HERE, 0)).unwrap();
    let listener = tcp.try_clone().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || std::io::copy(&mut stream, &mut std::io::sink()));
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("check");
    std::fs::write(&script, "#!/bin/sh\nsleep 1234567\n").unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let perl = dir.path().join("check.pl");
    std::fs::write(&perl, "sleep 1234567").unwrap();
    let (command, file) = (script.to_str().unwrap().to_owned(), perl.to_str().unwrap().to_owned());
    let processes = [Kind::External { command, args: vec![] }, Kind::ExternalPerl { file, args: vec![] }];

    // Whatever is made once is made now.
    for kind in kinds() {
        rounds(&kind, port_of(&kind, &tcp, &udp), 2, Duration::from_millis(20)).await;
    }
    settle(usize::MAX, usize::MAX).await;
    let before = (open_files(), tasks());
    for kind in kinds() {
        rounds(&kind, port_of(&kind, &tcp, &udp), ROUNDS, Duration::from_millis(3)).await;
    }
    for kind in &processes {
        rounds(kind, 0, PROCESSES, Duration::from_millis(20)).await;
    }
    let after = settle(before.0, before.1).await;
    assert!(after.0 <= before.0 && after.1 <= before.1, "files and tasks before {before:?}, after {after:?}");
    assert_eq!(sleeping(), 0, "processes are left");
}

fn port_of(kind: &Kind, tcp: &TcpListener, udp: &UdpSocket) -> u16 {
    let over_udp = match kind {
        Kind::Dns(q) => q.udp,
        Kind::SimpleTcp(q) => q.udp,
        Kind::Sip(q) => q.udp,
        Kind::Radius(_) => true,
        _ => false,
    };
    if over_udp { udp.local_addr().unwrap().port() } else { tcp.local_addr().unwrap().port() }
}

/// Waits until no more is open than before, which takes the kills of processes a second, and tells what is.
async fn settle(files: usize, tasks_before: usize) -> (usize, usize) {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = (open_files(), tasks());
        if (now.0 <= files && now.1 <= tasks_before && sleeping() == 0) || Instant::now() > end {
            return now;
        }
    }
}

/// The processes that the checks have started and that are still there.
fn sleeping() -> usize {
    let lines = std::fs::read_dir("/proc").unwrap().filter_map(|e| std::fs::read(e.ok()?.path().join("cmdline")).ok());
    lines.filter(|l| l.starts_with(b"sleep\x001234567") || l.windows(9).any(|w| w == b"check.pl\0")).count()
}
