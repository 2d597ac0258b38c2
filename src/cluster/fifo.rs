//! The text that programs of this node write to heartbeat's FIFO: messages in the classic framing, without control fields.
//!
//! ```text
//! >>>
//! t=ask_resources
//! rsc_hold=all
//! info=me
//! <<<
//! ```

use crate::cluster::wire::Message;

/// A longer line makes its message fail, as in the original.
const LONGEST_LINE: usize = 511;
/// Fields of one message; more make it fail.
const MOST_FIELDS: usize = 100;

/// Reads the FIFO's bytes as they come.
#[derive(Debug, Default)]
pub struct Fifo {
    line: Vec<u8>,
    /// The message under way, unless something was wrong with it.
    message: Option<Result<Message, String>>,
}

impl Fifo {
    /// More bytes: the messages that are complete with them, or what is wrong with one.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Result<Message, String>> {
        let mut out = Vec::new();
        for &byte in bytes {
            if byte != b'\n' {
                // One byte beyond the limit is kept, so that the line is known to be too long.
                if self.line.len() <= LONGEST_LINE {
                    self.line.push(byte);
                }
                continue;
            }
            let line = std::mem::take(&mut self.line);
            match line.as_slice() {
                b">>>" => self.message = Some(Ok(Message::empty())),
                b"<<<" => out.extend(self.message.take().map(|m| m.and_then(whole))),
                line => {
                    if let Some(message) = self.message.take() {
                        self.message = Some(message.and_then(|m| with(m, line)));
                    }
                }
            }
        }
        out
    }
}

fn with(message: Message, line: &[u8]) -> Result<Message, String> {
    if line.len() > LONGEST_LINE {
        return Err(format!("a line of a message is longer than {LONGEST_LINE} bytes"));
    }
    let text = std::str::from_utf8(line).map_err(|_| "a line of a message is no text".to_owned())?.trim_start();
    // Scripts send empty lines now and then.
    if text.is_empty() {
        return Ok(message);
    }
    if message.fields().len() >= MOST_FIELDS {
        return Err(format!("a message has more than {MOST_FIELDS} fields"));
    }
    let (name, value) = text.split_once('=').ok_or_else(|| format!("[{text}] is no NAME=VALUE"))?;
    if name.is_empty() || name.starts_with('(') {
        return Err(format!("[{text}] is no NAME=VALUE of text"));
    }
    Ok(message.with(name, value))
}

fn whole(message: Message) -> Result<Message, String> {
    if message.kind().is_empty() { Err("a message without type (t=)".to_owned()) } else { Ok(message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(text: &str) -> Vec<Result<String, String>> {
        let shown = |m: Message| {
            let text = |f: &crate::cluster::wire::Field| format!("{}={}", f.name, String::from_utf8_lossy(&f.value));
            m.fields().iter().map(text).collect::<Vec<_>>().join(" ")
        };
        // Byte by byte: a writer's pieces may end anywhere.
        let mut fifo = Fifo::default();
        text.bytes().flat_map(|b| fifo.feed(&[b])).map(|m| m.map(shown)).collect()
    }

    #[test]
    fn messages_are_between_their_marks() {
        let text = "noise\n>>>\nt=ask_resources\n\trsc_hold=all\n\ninfo=a=b\n<<<\n<<<\n>>>\nt=x\n>>>\nt=y\n<<<\n";
        assert_eq!(fed(text), [Ok("t=ask_resources rsc_hold=all info=a=b".to_owned()), Ok("t=y".to_owned())]);
    }

    #[test]
    fn a_bad_message_is_told_and_the_next_one_is_good() {
        let long = "v".repeat(LONGEST_LINE);
        let text = format!(">>>\nt=x\ni={long}\n<<<\n>>>\nt=y\nnothing\n<<<\n>>>\na=b\n<<<\n>>>\nt=z\n<<<\n");
        let seen = fed(&text);
        let errors: Vec<&str> = seen.iter().filter_map(|m| m.as_ref().err()).map(String::as_str).collect();
        assert!(errors[0].contains("511") && errors[1].contains("[nothing]") && errors[2].contains("without type"), "{errors:?}");
        assert_eq!((seen.len(), &seen[3]), (4, &Ok("t=z".to_owned())));
    }
}
