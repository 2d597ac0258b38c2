//! The control socket end to end: the daemon's side in a runtime, the command's side as commands use it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lvs_ha::cluster::io::Set;
use lvs_ha::control::client::{self, Error};
use lvs_ha::control::proto::{Request, Response};
use lvs_ha::control::server::{BindError, Limits, Server};

const PATIENCE: Duration = Duration::from_secs(60);

/// A served socket in a directory of its own; ends with the value.
struct Daemon {
    path: PathBuf,
    runtime: Option<tokio::runtime::Runtime>,
    _dir: tempfile::TempDir,
}

impl Daemon {
    fn start(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("made/heartbeat.sock");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(async { Server::bind_with(&path, limits) }).unwrap();
        runtime.spawn(async move {
            server
                .serve(|request| async move {
                    match request {
                        Request::Standby { set: Set::All } => Response::Accepted,
                        Request::Takeover { .. } => std::future::pending().await,
                        other => Response::Refused { why: format!("{other:?}") },
                    }
                })
                .await;
        });
        Self { path, runtime: Some(runtime), _dir: dir }
    }

    fn ask(&self, request: &Request) -> Result<Response, Error> {
        client::request(&self.path, request, PATIENCE)
    }

    /// A connection that has been greeted.
    fn raw(&self) -> BufReader<UnixStream> {
        let stream = UnixStream::connect(&self.path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut stream = BufReader::new(stream);
        assert_eq!(line(&mut stream), "{\"v\":1}\n");
        stream
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_timeout(Duration::from_secs(10));
    }
}

fn line(stream: &mut BufReader<UnixStream>) -> String {
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    line
}

const STANDBY: Request = Request::Standby { set: Set::All };

#[test]
fn a_request_is_answered_and_the_socket_has_its_modes() {
    let daemon = Daemon::start(Limits::default());
    assert_eq!(daemon.ask(&STANDBY).unwrap(), Response::Accepted);
    assert_eq!(daemon.ask(&Request::Status).unwrap(), Response::Refused { why: "Status".into() });
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&daemon.path), 0o660);
    assert_eq!(mode(daemon.path.parent().unwrap()), 0o755);
}

#[test]
fn several_requests_of_one_client_are_answered_in_order() {
    let daemon = Daemon::start(Limits::default());
    let mut stream = daemon.raw();
    stream.get_mut().write_all(b"{\"do\":\"standby\",\"set\":\"all\"}\n{\"do\":\"status\"}\n").unwrap();
    assert_eq!(line(&mut stream), "{\"is\":\"accepted\"}\n");
    assert_eq!(line(&mut stream), "{\"is\":\"refused\",\"why\":\"Status\"}\n");
}

#[test]
fn garbage_is_refused_and_the_client_may_go_on() {
    let daemon = Daemon::start(Limits::default());
    let mut stream = daemon.raw();
    for bad in [&b"hello\n"[..], b"\xff\xfe\n", b"\n", b"{\"do\":\"explode\"}\n", b"{\"do\":\"standby\",\"set\":\"some\"}\n"] {
        stream.get_mut().write_all(bad).unwrap();
        let answer = line(&mut stream);
        assert!(answer.starts_with("{\"is\":\"refused\",\"why\":\"not a request: "), "{answer}");
    }
    stream.get_mut().write_all(b"{\"do\":\"standby\",\"set\":\"all\"}\n").unwrap();
    assert_eq!(line(&mut stream), "{\"is\":\"accepted\"}\n");
}

#[test]
fn a_line_that_is_too_long_is_refused_and_the_client_dropped() {
    let daemon = Daemon::start(Limits { line: 100, ..Limits::default() });
    let mut stream = daemon.raw();
    stream.get_mut().write_all(&[b'x'; 101]).unwrap();
    assert!(line(&mut stream).contains("request longer than 100 bytes"));
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
    assert_eq!(daemon.ask(&STANDBY).unwrap(), Response::Accepted);
}

#[test]
fn half_a_request_and_an_idle_client_are_dropped() {
    let daemon = Daemon::start(Limits { idle: Duration::from_millis(100), ..Limits::default() });
    let mut stream = daemon.raw();
    stream.get_mut().write_all(b"{\"do\"").unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn a_handler_that_never_answers_does_not_hold_the_client() {
    let daemon = Daemon::start(Limits { answer: Duration::from_millis(100), ..Limits::default() });
    let answer = daemon.ask(&Request::Takeover { set: Set::All }).unwrap();
    assert_eq!(answer, Response::Refused { why: "the daemon is too busy to answer".into() });
}

#[test]
fn one_client_too_many_is_told_so() {
    let daemon = Daemon::start(Limits { clients: 2, ..Limits::default() });
    let (first, second) = (daemon.raw(), daemon.raw());
    assert_eq!(daemon.ask(&STANDBY).unwrap(), Response::Refused { why: "too many clients".into() });
    drop((first, second));
    let free = (0..1000).any(|_| {
        std::thread::sleep(Duration::from_millis(5));
        daemon.ask(&STANDBY).unwrap() == Response::Accepted
    });
    assert!(free, "places of clients that left stay taken");
}

#[test]
fn a_dead_socket_is_replaced_and_a_living_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("heartbeat.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    assert!(matches!(client::request(&path, &STANDBY, PATIENCE), Err(Error::NotRunning { .. })));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _in_it = runtime.enter();
    let first = Server::bind(&path).unwrap();
    assert!(matches!(Server::bind(&path), Err(BindError::InUse { .. })));
    drop(first);
    assert!(!path.exists(), "a stopped server leaves its socket");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    std::fs::write(&path, "").unwrap();
    assert!(matches!(Server::bind(&path), Err(BindError::NotASocket { .. })));
}

#[test]
fn a_successors_socket_is_not_removed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("heartbeat.sock");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _in_it = runtime.enter();
    let first = Server::bind(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let second = Server::bind(&path).unwrap();
    drop(first);
    assert!(path.exists());
    drop(second);
    assert!(!path.exists());
}

#[test]
fn the_client_tells_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("heartbeat.sock");
    assert!(matches!(client::request(&path, &STANDBY, PATIENCE), Err(Error::NotRunning { .. })));
    let listener = UnixListener::bind(&path).unwrap();
    let silent = client::request(&path, &STANDBY, Duration::from_millis(50));
    assert!(matches!(silent, Err(Error::Timeout { .. })), "{silent:?}");
    let says = |what: &'static str| {
        std::thread::scope(|scope| {
            scope.spawn(|| listener.accept().unwrap().0.write_all(what.as_bytes()).unwrap());
            client::request(&path, &STANDBY, PATIENCE)
        })
    };
    // The first connection is still in the queue.
    drop(listener.accept().unwrap());
    assert!(matches!(says("hello\n"), Err(Error::Protocol { .. })));
    assert!(matches!(says("{\"v\":7}\n"), Err(Error::Protocol { what, .. }) if what.contains("version 7")));
    assert!(matches!(says("{\"v\":1}\nno\n"), Err(Error::Protocol { .. } | Error::Io { .. })));
}

#[test]
fn the_instances_sockets_are_found_by_name() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["ldirectord-b.cf.sock", "ldirectord-a.cf.sock", "heartbeat.sock", "ldirectord-c.cf.12.new"] {
        std::fs::write(dir.path().join(name), "").unwrap();
    }
    let found = client::director_sockets(dir.path()).unwrap();
    let names: Vec<_> = found.iter().filter_map(|p| p.file_name()?.to_str()).collect();
    assert_eq!(names, ["ldirectord-a.cf.sock", "ldirectord-b.cf.sock"]);
    assert!(client::director_sockets(&dir.path().join("none")).unwrap().is_empty());
}
