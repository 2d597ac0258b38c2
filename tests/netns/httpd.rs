//! The web server of the hosts: the files of one folder over HTTP/1.0, one line of log a request. No more than tests need.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use crate::option;

/// `netns httpd --dir DIR --port N`.
pub fn command(words: &[&str]) -> anyhow::Result<ExitCode> {
    let dir = PathBuf::from(option(words, "--dir").context("httpd: which --dir?")?);
    let port: u16 = option(words, "--port").context("httpd: which --port?")?.parse()?;
    // Both families on one socket; IPv4 alone where the host has no IPv6.
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))
        .or_else(|_| TcpListener::bind(SocketAddr::from(([0, 0, 0, 0], port))))
        .with_context(|| format!("httpd: port {port}"))?;
    for stream in listener.incoming() {
        let (stream, dir) = (stream?, dir.clone());
        std::thread::spawn(move || {
            // A client that goes away in the middle is its own business.
            let _ = answer(&stream, &dir);
        });
    }
    Ok(ExitCode::SUCCESS)
}

fn answer(mut stream: &TcpStream, dir: &Path) -> anyhow::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(stream.take(16 * 1024));
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    let mut words = request.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (status, body) = match file(dir, path).map(std::fs::read) {
        Some(Ok(body)) => ("200 OK", body),
        _ => ("404 Not Found", b"not found\n".to_vec()),
    };
    println!("{} {method} {path} {status}", stream.peer_addr()?.ip().to_canonical());
    let head =
        format!("HTTP/1.0 {status}\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes())?;
    if method != "HEAD" {
        stream.write_all(&body)?;
    }
    Ok(())
}

/// The file that a request's path names: below `dir`, without a way up.
fn file(dir: &Path, path: &str) -> Option<PathBuf> {
    let relative = Path::new(path.split('?').next()?.strip_prefix('/')?);
    let plain = relative.components().all(|c| matches!(c, Component::Normal(_)));
    let named = dir.join(relative);
    plain.then(|| if named.is_dir() { named.join("index.html") } else { named })
}
