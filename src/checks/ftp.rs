//! FTP (RFC 959), passive: login, the file, its content. (The original fetches it actively, which firewalls and
//! masquerading prevent.)

use std::net::IpAddr;

use super::answer::{self, Reply};
use super::line::{self, Dialog};
use super::spec::Ftp;
use super::{Failure, hostname, matches};

/// Bytes read of the file.
const CONTENT: usize = 1 << 20;

pub(super) async fn ask(addr: IpAddr, port: u16, question: &Ftp) -> Result<String, Failure> {
    let mut server = Dialog::open(addr, port, None).await?;
    let greeting = server.reply("waiting for the greeting").await?;
    good(&greeting)?;
    let login = if question.login.is_empty() { "anonymous" } else { &question.login };
    let passwd = match question.passwd.reveal() {
        "" => format!("ldirectord@{}", hostname()),
        passwd => passwd.to_owned(),
    };
    let mut said = order(&mut server, &format!("USER {login}")).await?;
    if said.code / 100 == 3 {
        server.say_secret(&format!("PASS {passwd}"), "PASS ***").await?;
        said = server.reply("waiting for the answer to PASS").await?;
    }
    good(&said)?;
    let file = question.request.trim_start_matches('/');
    if file.is_empty() && question.receive.is_none() {
        server.bye("QUIT").await;
        return Ok(said.text);
    }
    // Where these fail the file will not come, or come all the same.
    order(&mut server, "CWD /").await?;
    order(&mut server, "TYPE I").await?;
    let mut passive = order(&mut server, if addr.is_ipv6() { "EPSV" } else { "PASV" }).await?;
    if !passive.good() && addr.is_ipv4() {
        passive = order(&mut server, "EPSV").await?;
    }
    let data = answer::ftp_port(&passive.text).filter(|_| passive.good()).ok_or(Failure::Answer(passive.text))?;
    // The server's address is known: what it says of itself may be that behind its own translation.
    let wire = line::open(addr, data, None).await?;
    server.say(&format!("RETR {file}")).await?;
    let started = server.reply("waiting for the answer to RETR").await?;
    if !matches!(started.code / 100, 1 | 2) {
        return Err(Failure::Answer(started.text));
    }
    let content = Dialog::on(wire, CONTENT).rest("reading the file").await;
    if let Some(pattern) = &question.receive
        && !matches(pattern, &content)?
    {
        let text = format!("/{pattern}/ is not in the {} bytes of {file}", content.len());
        return Err(Failure::Answer(text));
    }
    server.bye("QUIT").await;
    Ok(format!("{file}: {} bytes", content.len()))
}

async fn order(server: &mut Dialog, line: &str) -> Result<Reply, Failure> {
    server.say(line).await?;
    server.reply("waiting for the answer to a command").await
}

fn good(reply: &Reply) -> Result<(), Failure> {
    if reply.good() { Ok(()) } else { Err(Failure::Answer(reply.text.clone())) }
}
