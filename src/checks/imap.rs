//! IMAP4rev1 (RFC 3501): greeting, and with a login LOGIN. Nothing in the mailbox is touched: the original's EXPUNGE is left
//! out.

use std::net::IpAddr;

use super::line::Dialog;
use super::spec::Mailbox;
use super::{Failure, answer};

pub(super) async fn ask(addr: IpAddr, port: u16, question: &Mailbox) -> Result<String, Failure> {
    let mut server = Dialog::open(addr, port, question.tls.as_ref()).await?;
    let greeting = server.line("waiting for the greeting").await?;
    let text = answer::imap_greeting(&greeting).map_err(Failure::Answer)?;
    if let Some((name, passwd)) = &question.login {
        let login = format!("a1 LOGIN {} ", quoted(name));
        server.say_secret(&format!("{login}{}", quoted(passwd.reveal())), &format!("{login}***")).await?;
        loop {
            let line = server.line("waiting for the answer to LOGIN").await?;
            let end = answer::imap_end(&line, "a1").map_err(|text| Failure::Answer(format!("LOGIN: {text}")))?;
            if end.is_some() {
                break;
            }
        }
    }
    server.bye("a2 LOGOUT").await;
    Ok(text)
}

/// A quoted string.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    #[test]
    fn strings_are_quoted() {
        assert_eq!(super::quoted(r#"a"b\c d"#), r#""a\"b\\c d""#);
    }
}
