//! A serial line: packets are written as text with a line end where the sender has such a text (what the original's reader
//! wants), and cut out of the bytes that come in. Nothing waits: what the line cannot take in time is lost, as on any network.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use serial2_tokio::{SerialPort, Settings};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use super::frames::Frames;
use crate::cluster::wire::as_classic;

/// Bytes that may wait to be written: a few seconds of a slow line.
const MOST_WAITING: usize = 8 * 1024;

/// An open line, or one that has failed and is to be opened again.
#[derive(Debug)]
pub(super) struct Line {
    port: Option<SerialPort>,
    frames: Frames,
    waiting: VecDeque<u8>,
}

impl Line {
    /// Eight bits, no parity, raw, with hardware flow control, as the original sets it.
    pub(super) fn open(device: &str, baud: u32) -> io::Result<Self> {
        let port = SerialPort::open(device, |mut settings: Settings| {
            settings.set_raw();
            settings.set_baud_rate(baud)?;
            settings.set_flow_control(serial2_tokio::FlowControl::RtsCts);
            Ok(settings)
        })?;
        Ok(Self { port: Some(port), frames: Frames::default(), waiting: VecDeque::new() })
    }

    /// Whether it works, as far as is known.
    pub(super) fn is_open(&self) -> bool {
        self.port.is_some()
    }

    /// Writes a packet, unless too much is waiting already.
    pub(super) fn send(&mut self, packet: &[u8]) {
        let text = as_classic(packet);
        let bytes = text.as_deref().unwrap_or(packet);
        if self.waiting.len() + bytes.len() <= MOST_WAITING {
            self.waiting.extend(bytes);
            self.flush(&mut Context::from_waker(Waker::noop()));
        }
    }

    /// The next packet; writes what waits meanwhile.
    pub(super) fn poll_packet(&mut self, cx: &mut Context<'_>) -> Poll<Vec<u8>> {
        self.flush(cx);
        loop {
            if let Some(packet) = self.frames.next() {
                return Poll::Ready(packet);
            }
            let Some(port) = &mut self.port else { return Poll::Pending };
            let mut buffer = [0; 1024];
            let mut read = ReadBuf::new(&mut buffer);
            match Pin::new(port).poll_read(cx, &mut read) {
                Poll::Ready(Ok(())) if !read.filled().is_empty() => self.frames.push(read.filled()),
                // Gone, such as an adapter that was pulled out.
                Poll::Ready(_) => self.port = None,
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn flush(&mut self, cx: &mut Context<'_>) {
        while let (Some(port), false) = (&mut self.port, self.waiting.is_empty()) {
            let (part, _) = self.waiting.as_slices();
            match Pin::new(port).poll_write(cx, part) {
                Poll::Ready(Ok(written)) if written > 0 => drop(self.waiting.drain(..written)),
                Poll::Ready(_) => self.port = None,
                Poll::Pending => return,
            }
        }
        if self.port.is_none() {
            self.waiting.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read as _, Write as _};

    use super::*;
    use crate::cluster::wire::{Framing, Message, decode};
    use crate::config::settings::{Key, Method};

    /// A line, and the other end of its cable.
    fn pair() -> (Line, File) {
        let pty = nix::pty::openpty(None, None).unwrap();
        let device = nix::unistd::ttyname(&pty.slave).unwrap();
        (Line::open(device.to_str().unwrap(), 19_200).unwrap(), pty.master.into())
    }

    fn packet(sealed: bool, filler: usize) -> Vec<u8> {
        let key = Key { number: 1, method: Method::Sha1, secret: b"secret".to_vec() };
        let mut message = Message::new("status").with("st", "up").with("ld", "x".repeat(filler));
        if sealed {
            message.seal(&key);
        }
        message.encode(&key)
    }

    #[tokio::test]
    async fn packets_go_through_a_pseudo_terminal_both_ways() {
        let (mut line, mut other) = pair();
        for sealed in [true, false] {
            line.send(&packet(sealed, 10));
            let mut reader = other.try_clone().unwrap();
            let sent = tokio::task::spawn_blocking(move || {
                let mut frames = Frames::default();
                loop {
                    let mut buffer = [0; 256];
                    let count = reader.read(&mut buffer).unwrap();
                    frames.push(&buffer[..count]);
                    if let Some(sent) = frames.next() {
                        return sent;
                    }
                }
            });
            // What the line did not take at once it takes while somebody waits for it.
            let sent = tokio::select! {
                sent = sent => sent.unwrap(),
                _ = std::future::poll_fn(|cx| line.poll_packet(cx)) => panic!("nothing was sent to this end"),
            };
            let read = decode(&sent).unwrap();
            assert_eq!(read.message.text("st"), Some("up"));
            assert_eq!(read.framing, if sealed { Framing::Classic } else { Framing::Netstring });
            other.write_all(&sent).unwrap();
            assert_eq!(std::future::poll_fn(|cx| line.poll_packet(cx)).await, sent);
        }
    }

    #[tokio::test]
    async fn a_line_that_takes_nothing_does_not_hold_anybody() {
        let (mut line, _other) = pair();
        for _ in 0..500 {
            line.send(&packet(true, 500));
        }
        assert!(line.is_open() && line.waiting.len() <= MOST_WAITING);
    }

    #[tokio::test]
    async fn a_line_that_is_gone_is_known() {
        let (mut line, other) = pair();
        drop(other);
        let nothing = std::future::poll_fn(|cx| match line.poll_packet(cx) {
            Poll::Pending if !line.is_open() => Poll::Ready(None),
            other => other.map(Some),
        });
        assert_eq!(nothing.await, None);
    }
}
