//! Any protocol of lines (`service=simpletcp`): send the request, look for the pattern in each line that comes back.

use std::net::IpAddr;

use super::line::{Dialog, open};
use super::spec::SimpleTcp;
use super::{Failure, datagram, matches};

/// Bytes that are looked at.
const LIMIT: usize = 1 << 20;

pub(super) async fn ask(addr: IpAddr, port: u16, question: &SimpleTcp) -> Result<String, Failure> {
    let pattern = question.receive.as_deref().unwrap_or_default();
    if question.udp {
        let said = |packet: &[u8]| {
            let mut lines = packet.split(|b| *b == b'\n').filter(|l| !l.is_empty());
            lines.find_map(|l| matches(pattern, l).map(|yes| yes.then(|| super::answer::shown(l))).transpose()).transpose()
        };
        return datagram::ask(addr, port, question.request.as_bytes(), said).await;
    }
    let mut server = Dialog::on(open(addr, port, None).await?, LIMIT);
    server.send(question.request.as_bytes()).await?;
    // Some servers answer only when they have seen the end.
    server.finish().await;
    let mut lines = 0_usize;
    while let Some(line) = server.line_or_end("waiting for a line that matches").await? {
        lines += 1;
        if matches(pattern, &line)? {
            return Ok(super::answer::shown(&line));
        }
    }
    Err(Failure::Answer(match lines {
        0 => "the server closed the connection without an answer".to_owned(),
        _ => format!("/{pattern}/ is not in the {lines} lines of the answer"),
    }))
}
