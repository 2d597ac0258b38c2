//! NNTP (RFC 3977): a greeting of 2xx.

use std::net::IpAddr;

use super::Failure;
use super::line::Dialog;

pub(super) async fn ask(addr: IpAddr, port: u16) -> Result<String, Failure> {
    let mut server = Dialog::open(addr, port, None).await?;
    let greeting = server.reply("waiting for the greeting").await?;
    if !greeting.good() {
        return Err(Failure::Answer(greeting.text));
    }
    server.bye("QUIT").await;
    Ok(greeting.text)
}
