//! POP3 (RFC 1939): greeting, and with a login APOP, CRAM-MD5 (RFC 5034) or USER and PASS, then STAT.

use std::fmt::Write as _;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};

use super::line::Dialog;
use super::spec::{Mailbox, Secret};
use super::{Failure, answer};

pub(super) async fn ask(addr: IpAddr, port: u16, question: &Mailbox) -> Result<String, Failure> {
    let mut server = Dialog::open(addr, port, question.tls.as_ref()).await?;
    let greeting = server.line("waiting for the greeting").await?;
    let text = answer::pop(&greeting).map_err(Failure::Answer)?;
    if let Some((name, passwd)) = &question.login {
        login(&mut server, &greeting, name, passwd).await?;
        order(&mut server, "STAT", "STAT").await?;
    }
    server.bye("QUIT").await;
    Ok(text)
}

/// The safest way that the server offers; where it knows no such secret of the user, the plain one.
async fn login(server: &mut Dialog, greeting: &[u8], name: &str, passwd: &Secret) -> Result<(), Failure> {
    let password = passwd.reveal();
    if let Some(stamp) = answer::pop_stamp(greeting) {
        let digest = hex(&Md5::new().chain_update(stamp).chain_update(password).finalize());
        if order(server, &format!("APOP {name} {digest}"), &format!("APOP {name} ***")).await.is_ok() {
            return Ok(());
        }
    } else if capable(server).await? {
        server.say("AUTH CRAM-MD5").await?;
        let challenge = server.line("waiting for the challenge").await?;
        if let Some(challenge) = challenge.strip_prefix(b"+ ").and_then(|c| STANDARD.decode(c.trim_ascii()).ok()) {
            let mut mac = Hmac::<Md5>::new_from_slice(password.as_bytes()).map_err(|e| Failure::Answer(e.to_string()))?;
            mac.update(&challenge);
            let proof = STANDARD.encode(format!("{name} {}", hex(&mac.finalize().into_bytes())));
            if order(server, &proof, "***").await.is_ok() {
                return Ok(());
            }
        }
    }
    order(server, &format!("USER {name}"), &format!("USER {name}")).await?;
    order(server, &format!("PASS {password}"), "PASS ***").await
}

async fn order(server: &mut Dialog, line: &str, shown: &str) -> Result<(), Failure> {
    server.say_secret(line, shown).await?;
    let said = server.line("waiting for the answer").await?;
    let word = shown.split(' ').next().unwrap_or_default();
    answer::pop(&said).map_err(|text| Failure::Answer(format!("{word}: {text}")))?;
    Ok(())
}

/// Whether the server offers CRAM-MD5.
async fn capable(server: &mut Dialog) -> Result<bool, Failure> {
    server.say("CAPA").await?;
    if answer::pop(&server.line("waiting for the answer to CAPA").await?).is_err() {
        return Ok(false);
    }
    let mut found = false;
    loop {
        let line = server.line("reading the answer to CAPA").await?;
        if line == b"." {
            return Ok(found);
        }
        let words = String::from_utf8_lossy(&line).to_ascii_uppercase();
        found |= words.starts_with("SASL ") && words.split_whitespace().any(|w| w == "CRAM-MD5");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}
