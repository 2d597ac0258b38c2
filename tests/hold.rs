//! `lvs-ha drain`, `undrain` and `maintenance` through the built executable, against a server that plays an ldirectord.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::process::Command;
use std::sync::{Arc, Mutex};

use lvs_ha::control::director_socket;
use lvs_ha::control::proto::{Request, Response};
use lvs_ha::control::server::Server;
use lvs_ha::status::snapshot::{Director, Member};

/// A real server with that many connections, held or not.
fn member(held: Option<&str>, active: u32, inactive: u32) -> Response {
    let director: Director = serde_json::from_str(include_str!("data/status/ldirectord.json")).unwrap();
    let service = &director.virtuals[0];
    let mut real = service.reals[0].clone();
    real.address = "10.9.0.11:80".into();
    real.held = held.map(str::to_owned);
    real.installed_weight = Some(if held.is_some() { 0 } else { 1 });
    (real.active, real.inactive) = (active, inactive);
    Response::Reals { reals: vec![Member { service: service.key, real }] }
}

/// Runs a command against daemons that give these answers, each in turn; what it said, its status, and what was asked.
fn run(args: &[&str], daemons: Vec<(&str, Vec<Response>)>) -> (String, String, i32, Vec<Request>) {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let asked: Arc<Mutex<Vec<Request>>> = Arc::default();
    for (name, mut answers) in daemons {
        let server = runtime.block_on(async { Server::bind(&director_socket(dir.path(), name)) }).unwrap();
        answers.reverse();
        let (asked, answers) = (Arc::clone(&asked), Arc::new(Mutex::new(answers)));
        runtime.spawn(async move {
            let answer = move |request: Request| {
                asked.lock().unwrap().push(request);
                let answer = answers.lock().unwrap().pop().expect("one answer for each question");
                async move { answer }
            };
            server.serve(answer).await;
        });
    }
    let out = Command::new(env!("CARGO_BIN_EXE_lvs-ha")).args(args).env("LVS_HA_RUN_DIR", dir.path()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let asked = asked.lock().unwrap().clone();
    (text(&out.stdout), text(&out.stderr), out.status.code().unwrap(), asked)
}

fn refused() -> Response {
    Response::Refused { why: "no virtual service has a real server 10.9.0.11:80".into() }
}

/// Goes in: a server with connections that end. Must come out: its state, each change of the number, the end.
#[test]
fn a_drain_is_followed_to_its_last_connection() {
    let answers = vec![
        member(Some("drained"), 2, 1),
        member(Some("drained"), 2, 1),
        member(Some("drained"), 0, 1),
        member(Some("drained"), 0, 0),
    ];
    let (out, err, code, asked) =
        run(&["drain", "10.9.0.11:80", "--deadline", "15m"], vec![("other.cf", vec![refused()]), ("www.cf", answers)]);
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].contains("10.9.0.11:80  weight 0, drained") && lines[0].contains("2 active and 1 inactive"), "{out}");
    let progress = [
        "10.9.0.11:80: 2 active and 1 inactive connections left",
        "10.9.0.11:80: 0 active and 1 inactive connections left",
        "10.9.0.11:80: no connections left",
    ];
    assert_eq!((&lines[1..], err.as_str(), code), (&progress[..], "", 0));
    let drain = Request::Drain { real: "10.9.0.11:80".into(), deadline: Some(900) };
    let look = Request::Real { real: "10.9.0.11:80".into() };
    assert_eq!(asked, [drain.clone(), drain, look.clone(), look.clone(), look]);
}

#[test]
fn a_drain_that_is_not_waited_for_goes_on() {
    let (_, err, code, asked) =
        run(&["drain", "10.9.0.11:80", "--no-wait"], vec![("www.cf", vec![member(Some("drained"), 2, 1)])]);
    assert_eq!((err.as_str(), code, asked.len()), ("", 0, 1));
    let answers = vec![member(Some("drained"), 2, 1), member(Some("drained"), 2, 1)];
    let (out, err, code, _) = run(&["drain", "10.9.0.11:80", "--timeout", "0"], vec![("www.cf", answers)]);
    assert!(out.ends_with("2 active and 1 inactive connections left\n") && err.contains("it goes on"), "{out}{err}");
    assert_eq!(code, 1);
}

#[test]
fn a_server_that_is_put_back_meanwhile_is_not_waited_for() {
    let answers = vec![member(Some("drained"), 2, 1), member(None, 2, 1)];
    let (_, err, code, _) = run(&["drain", "10.9.0.11:80"], vec![("www.cf", answers)]);
    assert!(err.contains("somebody has put 10.9.0.11:80 back"), "{err}");
    assert_eq!(code, 1);
}

#[test]
fn the_way_back_is_not_waited_for() {
    let (out, err, code, asked) = run(&["undrain", "10.9.0.11"], vec![("www.cf", vec![member(None, 0, 0)])]);
    assert!(out.contains("weight 1, check up") && err.is_empty() && code == 0, "{out}{err}");
    assert_eq!(asked, [Request::Undrain { real: "10.9.0.11".into() }]);
    let (_, _, code, asked) = run(&["maintenance", "off", "10.9.0.11"], vec![("www.cf", vec![member(None, 0, 0)])]);
    assert_eq!((code, asked), (0, vec![Request::Maintenance { real: "10.9.0.11".into(), on: false }]));
    let answers = vec![member(Some("maintenance"), 0, 0), member(Some("maintenance"), 0, 0)];
    let (out, _, code, _) = run(&["maintenance", "on", "10.9.0.11"], vec![("www.cf", answers)]);
    assert!(out.contains("maintenance") && out.ends_with("10.9.0.11: no connections left\n") && code == 0, "{out}");
}

#[test]
fn nobody_has_it_or_nobody_runs() {
    let (out, err, code, _) = run(&["drain", "10.9.0.11:80"], vec![("www.cf", vec![refused()])]);
    assert_eq!((out.as_str(), code), ("", 1));
    assert_eq!(err, "lvs-ha drain: no virtual service has a real server 10.9.0.11:80\n");
    let (_, err, code, _) = run(&["drain", "10.9.0.11:80"], vec![]);
    assert!(err.contains("no ldirectord runs here") && code == 3, "{err}");
    let (_, err, code, _) = run(&["drain", "10.9.0.11:http"], vec![]);
    assert!(err.contains("a number") && code == 1, "{err}");
    let (_, err, code, _) = run(&["drain", "10.9.0.11:80", "--deadline", "1.5h"], vec![]);
    assert!(err.contains("15m") && code == 2, "{err}");
}
