//! SIP (RFC 3261): OPTIONS, and a first line of `SIP/2.0 200 OK`.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use super::line::{Dialog, Wire};
use super::spec::Sip;
use super::{Failure, answer, connect, datagram, hostname, random};

/// Bytes of an answer that are looked at.
const LIMIT: usize = 64 << 10;

pub(super) async fn ask(addr: IpAddr, port: u16, question: &Sip) -> Result<String, Failure> {
    let login = match question.login.as_str() {
        "" => format!("ldirectord@{}", hostname()),
        login => login.to_owned(),
    };
    let id = random::<8>()?.iter().fold(String::new(), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    });
    if question.udp {
        let socket = datagram::open(addr, port).await?;
        let local = socket.local_addr().map_err(Failure::io("socket"))?;
        let request = options(&login, "UDP", local, &id);
        let judge = |packet: &[u8]| answer::sip(packet).map_err(Failure::Answer);
        return datagram::exchange(&socket, request.as_bytes(), judge).await;
    }
    let stream = connect::open(addr, port).await?;
    let local = stream.local_addr().map_err(Failure::io("socket"))?;
    let wire: Box<dyn Wire> = Box::new(stream);
    let mut server = Dialog::on(wire, LIMIT);
    server.send(options(&login, "TCP", local, &id).as_bytes()).await?;
    let mut said = Vec::new();
    loop {
        said.extend(server.line("waiting for an answer").await?);
        said.extend(b"\r\n");
        if let Some(text) = answer::sip(&said).map_err(Failure::Answer)? {
            return Ok(text);
        }
    }
}

fn options(login: &str, transport: &str, local: SocketAddr, id: &str) -> String {
    format!(
        "OPTIONS sip:{login} SIP/2.0\r\n\
         Via: SIP/2.0/{transport} {local};branch=z9hG4bK{id};rport\r\n\
         Max-Forwards: 70\r\n\
         To: <sip:{login}>\r\n\
         From: <sip:{login}>;tag={id}\r\n\
         Call-ID: {id}@{local}\r\n\
         CSeq: 63104 OPTIONS\r\n\
         Contact: <sip:{login}>\r\n\
         Accept: application/sdp\r\n\
         Content-Length: 0\r\n\r\n"
    )
}
