//! SMTP (RFC 5321), the same for submission: greeting, EHLO or else HELO, goodbye.

use std::net::IpAddr;

use super::line::Dialog;
use super::{Failure, hostname};

pub(super) async fn ask(addr: IpAddr, port: u16) -> Result<String, Failure> {
    let mut server = Dialog::open(addr, port, None).await?;
    let greeting = server.reply("waiting for the greeting").await?;
    if !greeting.good() {
        return Err(Failure::Answer(greeting.text));
    }
    let name = hostname();
    server.say(&format!("EHLO {name}")).await?;
    let mut hello = server.reply("waiting for the answer to EHLO").await?;
    if !hello.good() {
        server.say(&format!("HELO {name}")).await?;
        hello = server.reply("waiting for the answer to HELO").await?;
    }
    if !hello.good() {
        return Err(Failure::Answer(hello.text));
    }
    server.bye("QUIT").await;
    Ok(greeting.text)
}
