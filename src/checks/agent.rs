//! An agent on a real server says one line to whoever connects, as HAProxy's agents do.

use std::net::{IpAddr, SocketAddr};

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::Failure;

/// Bytes of a line at most.
const LONGEST: usize = 1024;

pub(super) async fn ask(addr: IpAddr, port: u16) -> Result<String, Failure> {
    let mut stream = TcpStream::connect(SocketAddr::new(addr, port)).await.map_err(Failure::io("connect"))?;
    let mut line = Vec::new();
    let mut chunk = [0; 256];
    while line.len() < LONGEST && !line.contains(&b'\n') {
        match stream.read(&mut chunk).await.map_err(Failure::io("read"))? {
            0 => break,
            got => line.extend_from_slice(chunk.get(..got).unwrap_or_default()),
        }
    }
    let text = String::from_utf8_lossy(&line);
    let text = text.lines().next().unwrap_or_default().trim();
    if text.is_empty() { Err(Failure::Answer("the agent said nothing".into())) } else { Ok(text.to_owned()) }
}
