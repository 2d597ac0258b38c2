//! A conversation in lines, in the clear or over TLS: what SMTP, POP3, IMAP4, NNTP and FTP have in common.
//!
//! It ends at a limit of bytes, whatever the server sends; its time limit is the check's.

use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::answer::{self, Reply};
use super::spec::Tls;
use super::{Failure, connect, tls, trace};

/// Bytes that a server may send in one conversation.
const LIMIT: usize = 64 << 10;
/// How long a server may take to say goodbye: it does not count for the verdict.
const GOODBYE: Duration = Duration::from_millis(250);

/// A connection of bytes.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// A connection, over TLS if asked for.
pub(super) async fn open(addr: IpAddr, port: u16, tls: Option<&Tls>) -> Result<Box<dyn Wire>, Failure> {
    let stream = connect::open(addr, port).await?;
    Ok(match tls {
        None => Box::new(stream),
        Some(tls) => Box::new(tls::wrap(stream, addr, tls).await?),
    })
}

/// A conversation.
pub(super) struct Dialog {
    wire: Box<dyn Wire>,
    /// What has come and is not read yet.
    buffer: Vec<u8>,
    /// Bytes that came.
    total: usize,
    limit: usize,
}

impl Dialog {
    pub(super) async fn open(addr: IpAddr, port: u16, tls: Option<&Tls>) -> Result<Self, Failure> {
        Ok(Self::on(open(addr, port, tls).await?, LIMIT))
    }

    /// On a connection that is open, with a limit in bytes.
    pub(super) fn on(wire: Box<dyn Wire>, limit: usize) -> Self {
        Self { wire, buffer: Vec::new(), total: 0, limit }
    }

    /// Waits for more bytes; none is the end.
    async fn more(&mut self) -> Result<usize, Failure> {
        if self.total >= self.limit {
            return Err(Failure::Answer(format!("the answer has no end: {} bytes", self.total)));
        }
        let before = self.buffer.len();
        let room = (self.limit - self.total).min(8192);
        self.buffer.resize(before + room, 0);
        let rest = self.buffer.get_mut(before..).unwrap_or_default();
        let read = self.wire.read(rest).await;
        self.buffer.truncate(before + *read.as_ref().unwrap_or(&0));
        let read = read.map_err(Failure::io("read"))?;
        self.total += read;
        if read > 0 {
            trace::received(self.buffer.get(before..).unwrap_or_default());
        }
        Ok(read)
    }

    /// The next line, without its end. What comes before the end of the connection is one too.
    pub(super) async fn line(&mut self, stage: &'static str) -> Result<Vec<u8>, Failure> {
        match self.line_or_end(stage).await? {
            Some(line) => Ok(line),
            None => Err(Failure::Answer(format!("the server closed the connection ({stage})"))),
        }
    }

    /// The next line; `None` at the end.
    pub(super) async fn line_or_end(&mut self, stage: &'static str) -> Result<Option<Vec<u8>>, Failure> {
        trace::doing(stage);
        let mut searched = 0;
        loop {
            let fresh = self.buffer.get(searched..).unwrap_or_default();
            if let Some(at) = fresh.iter().position(|b| *b == b'\n') {
                let mut line: Vec<u8> = self.buffer.drain(..=searched + at).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(Some(line));
            }
            searched = self.buffer.len();
            if self.more().await? == 0 {
                let line = std::mem::take(&mut self.buffer);
                return Ok((!line.is_empty()).then_some(line));
            }
        }
    }

    /// The next reply with a number.
    pub(super) async fn reply(&mut self, stage: &'static str) -> Result<Reply, Failure> {
        trace::doing(stage);
        loop {
            match answer::reply(&self.buffer).map_err(Failure::Answer)? {
                Some((reply, length)) => {
                    self.buffer.drain(..length);
                    return Ok(reply);
                }
                None if self.more().await? == 0 => {
                    return Err(Failure::Answer(format!("the server closed the connection ({stage})")));
                }
                None => {}
            }
        }
    }

    /// Says a line.
    pub(super) async fn say(&mut self, line: &str) -> Result<(), Failure> {
        self.say_secret(line, line).await
    }

    /// Says a line that is shown as `shown`.
    pub(super) async fn say_secret(&mut self, line: &str, shown: &str) -> Result<(), Failure> {
        self.write(format!("{line}\r\n").as_bytes(), format!("{shown}\r\n").as_bytes()).await
    }

    /// Sends bytes as they are.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.write(bytes, bytes).await
    }

    async fn write(&mut self, bytes: &[u8], shown: &[u8]) -> Result<(), Failure> {
        trace::doing("send");
        self.wire.write_all(bytes).await.map_err(Failure::io("send"))?;
        self.wire.flush().await.map_err(Failure::io("send"))?;
        trace::sent(shown);
        Ok(())
    }

    /// Says that nothing more will be sent.
    pub(super) async fn finish(&mut self) {
        let _ = self.wire.shutdown().await;
    }

    /// Says goodbye, so that the server has nothing to complain of in its log. The verdict is made: nothing of this counts.
    pub(super) async fn bye(mut self, line: &str) {
        let _ = tokio::time::timeout(GOODBYE, async {
            if self.say(line).await.is_ok() {
                let _ = self.line("goodbye").await;
                self.finish().await;
            }
        })
        .await;
    }

    /// All that comes up to the end or the limit. What breaks off counts as far as it came.
    pub(super) async fn rest(mut self, stage: &'static str) -> Vec<u8> {
        trace::doing(stage);
        while matches!(self.more().await, Ok(n) if n > 0) {}
        self.buffer
    }
}
