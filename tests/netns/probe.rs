//! The client's clock: asks a web server every 10 ms on connections of their own and tells the longest time without an
//! answer.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::option;

/// Time between two requests.
const PERIOD: Duration = Duration::from_millis(10);
/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// `netns get URL`: the page; fails where the status is not 200.
pub fn get_command(words: &[&str]) -> anyhow::Result<ExitCode> {
    let url = words.first().context("get: which URL?")?;
    let rest = url.strip_prefix("http://").context("get: only http")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    print!("{}", get(host.parse()?, &format!("/{path}"), Duration::from_secs(20))?);
    Ok(ExitCode::SUCCESS)
}

/// `netns hold PORT`: has this UDP port until it is killed.
pub fn hold_command(words: &[&str]) -> anyhow::Result<ExitCode> {
    let port: u16 = words.first().context("hold: which port?")?.parse()?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))?;
    loop {
        socket.recv(&mut [0])?;
    }
}

/// `netns probe ADDRESS:PORT --seconds N [--until FILE]`: asks so long, or until the file exists. Says `answered` at the first
/// answer, and at the end `gap MS ms at S s; N requests, M answered`.
pub fn command(words: &[&str]) -> anyhow::Result<ExitCode> {
    let target: SocketAddr = words.first().context("probe: whom?")?.parse()?;
    let length = Duration::from_secs(option(words, "--seconds").context("probe: how many --seconds?")?.parse()?);
    let until = option(words, "--until").map(std::path::Path::new);
    let answered = Arc::new(Mutex::new(Vec::new()));
    let start = Instant::now();
    let mut asked: u32 = 0;
    let mut last = Vec::new();
    while start.elapsed() < length {
        let answered = Arc::clone(&answered);
        let request = std::thread::spawn(move || {
            if get(target, "/", PATIENCE).is_ok() {
                let mut answered = answered.lock().unwrap();
                if answered.is_empty() {
                    println!("answered");
                }
                answered.push(start.elapsed());
            }
        });
        last.push(request);
        last.retain(|r| !r.is_finished());
        asked += 1;
        if until.is_some_and(std::path::Path::exists) {
            break;
        }
        std::thread::sleep((PERIOD * asked).saturating_sub(start.elapsed()));
    }
    for request in last {
        request.join().map_err(|_| anyhow::anyhow!("a request panicked"))?;
    }
    let mut answered = answered.lock().map_err(|_| anyhow::anyhow!("a request panicked"))?.clone();
    answered.sort();
    if answered.len() < 2 {
        bail!("only {} of {asked} requests were answered", answered.len());
    }
    let (gap, at) = longest(&answered).context("fewer than two answers")?;
    println!("gap {} ms at {:.2} s; {asked} requests, {} answered", gap.as_millis(), at.as_secs_f64(), answered.len());
    Ok(ExitCode::SUCCESS)
}

/// The longest time between two answers, and when it began. Answers and not questions: one that was asked during an outage
/// may be answered after it, when its connection is tried again.
fn longest(answered: &[Duration]) -> Option<(Duration, Duration)> {
    answered.windows(2).map(|w| (w[1].saturating_sub(w[0]), w[0])).max()
}

/// The body of a page.
fn get(target: SocketAddr, path: &str, patience: Duration) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect_timeout(&target, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", target.ip()).as_bytes())?;
    let mut text = String::new();
    stream.take(1 << 20).read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").context("no HTTP answer")?;
    if !head.starts_with("HTTP/1.0 200") && !head.starts_with("HTTP/1.1 200") {
        bail!("{target}{path}: {}", head.lines().next().unwrap_or_default());
    }
    Ok(body.to_owned())
}
