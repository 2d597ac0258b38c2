//! Netlink messages: `nlmsghdr` (16 bytes) and, for generic netlink, `genlmsghdr {u8 command, u8 version, u16 0}`.
//!
//! ```text
//! u32 length | u16 kind | u16 flags | u32 sequence | u32 port | payload, the next message on a multiple of four
//! ```

use super::DecodeError;
use super::attrs::Writer;
use super::constants::nlmsg;

/// Bytes of `nlmsghdr`.
const HEADER: usize = 16;
/// Bytes of `genlmsghdr`.
const GENL_HEADER: usize = 4;

/// One message as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// `NLM_F_*`.
    pub flags: u16,
    /// Sequence number of the request that it answers.
    pub sequence: u32,
    /// What it says.
    pub content: Content<'a>,
}

/// What a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content<'a> {
    /// The request was refused with this error number (positive), or with 0 done.
    Outcome(i32),
    /// A dump has ended, with an error number or 0.
    Done(i32),
    /// The kernel had to drop answers.
    Overrun,
    /// Nothing.
    Noop,
    /// Data of a family.
    Data {
        /// Family id.
        family: u16,
        /// The family's command number.
        command: u8,
        /// Attributes.
        attrs: &'a [u8],
    },
}

/// Walks over the messages of a datagram; ends after the first error.
#[derive(Debug, Clone)]
pub struct Messages<'a>(&'a [u8]);

/// The messages in a datagram.
#[must_use]
pub fn messages(datagram: &[u8]) -> Messages<'_> {
    Messages(datagram)
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = std::mem::take(&mut self.0);
        if bytes.is_empty() {
            return None;
        }
        let Some((head, _)) = bytes.split_first_chunk::<HEADER>() else {
            return Some(Err(DecodeError::Short { what: "message header", found: bytes.len(), expected: HEADER }));
        };
        let &[l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, ..] = head;
        let length = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
        let Some(payload) = bytes.get(HEADER..length) else {
            return Some(Err(DecodeError::Length { what: "message", found: length, left: bytes.len() }));
        };
        self.0 = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        let sequence = u32::from_ne_bytes([s0, s1, s2, s3]);
        let flags = u16::from_ne_bytes([f0, f1]);
        Some(content(u16::from_ne_bytes([k0, k1]), payload).map(|content| Message { flags, sequence, content }))
    }
}

fn content(kind: u16, payload: &[u8]) -> Result<Content<'_>, DecodeError> {
    let number = |what| {
        let short = DecodeError::Short { what, found: payload.len(), expected: 4 };
        payload.first_chunk().map(|n| i32::from_ne_bytes(*n).saturating_neg()).ok_or(short)
    };
    Ok(match kind {
        nlmsg::NOOP => Content::Noop,
        nlmsg::OVERRUN => Content::Overrun,
        nlmsg::ERROR => Content::Outcome(number("error message")?),
        nlmsg::DONE => Content::Done(number("end of a dump")?),
        family => {
            let Some((&[command, ..], attrs)) = payload.split_first_chunk::<GENL_HEADER>() else {
                let found = payload.len();
                return Err(DecodeError::Short { what: "generic netlink header", found, expected: GENL_HEADER });
            };
            Content::Data { family, command, attrs }
        }
    })
}

/// What goes into the headers of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Family id.
    pub family: u16,
    /// `NLM_F_*`.
    pub flags: u16,
    /// Sequence number.
    pub sequence: u32,
    /// The family's command number.
    pub command: u8,
    /// The family's version.
    pub version: u8,
}

/// Appends a message of a generic netlink family to a datagram.
pub fn push(out: &mut Vec<u8>, head: Head, content: impl FnOnce(&mut Writer<'_>)) {
    message(out, head.family, head.flags, head.sequence, |out| {
        out.extend_from_slice(&[head.command, head.version, 0, 0]);
        content(&mut Writer::new(out));
    });
}

/// Appends any message to a datagram.
pub(in crate::ipvs) fn message(out: &mut Vec<u8>, kind: u16, flags: u16, sequence: u32, payload: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(&flags.to_ne_bytes());
    out.extend_from_slice(&sequence.to_ne_bytes());
    out.extend_from_slice(&[0; 4]);
    payload(out);
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX).to_ne_bytes();
    if let Some(field) = out.get_mut(start..start + 4) {
        field.copy_from_slice(&length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_requests_in_one_datagram_come_back_in_order() {
        let mut out = Vec::new();
        for sequence in 7..10 {
            let head = Head { family: 32, flags: nlmsg::F_REQUEST, sequence, command: 4, version: 1 };
            push(&mut out, head, |w| w.text(6, "abcd"));
        }
        let list: Vec<_> = messages(&out).collect::<Result<_, _>>().unwrap();
        assert_eq!(list.iter().map(|m| m.sequence).collect::<Vec<_>>(), [7, 8, 9]);
        assert!(list.iter().all(|m| matches!(m.content, Content::Data { family: 32, command: 4, .. })));
    }

    #[test]
    fn a_length_of_zero_does_not_loop() {
        let mut walk = messages(&[0; 64]);
        assert!(matches!(walk.next(), Some(Err(DecodeError::Length { .. }))));
        assert_eq!(walk.next(), None);
    }

    #[test]
    fn the_most_negative_error_number_is_not_an_overflow() {
        let mut bytes = vec![20, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend_from_slice(&i32::MIN.to_ne_bytes());
        let message = messages(&bytes).next().unwrap().unwrap();
        assert_eq!(message.content, Content::Outcome(i32::MAX));
    }
}
