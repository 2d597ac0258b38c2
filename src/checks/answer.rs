//! What servers answer, judged: bytes in, a finding out. Pure, so that anything may be thrown at it.
//!
//! A refusal is the text for the verdict, printable and short whatever the server sent.

/// Longest piece of an answer that is shown.
const SHOWN: usize = 120;

/// A piece of an answer as it may stand in a log line: the first line, printable, cut.
#[must_use]
pub fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.get(..SHOWN * 4).unwrap_or(bytes));
    let line = text.trim_start().lines().next().unwrap_or_default().trim_end();
    let mut out: String = line.chars().take(SHOWN).map(|c| if c.is_control() { '?' } else { c }).collect();
    if line.chars().count() > SHOWN {
        out.push_str("...");
    }
    if out.is_empty() { "an empty line".to_owned() } else { out }
}

/// A reply with a number, as SMTP, FTP and NNTP have them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// From 100 to 599.
    pub code: u16,
    /// The last line, printable.
    pub text: String,
}

impl Reply {
    /// Whether it is one of `200..=299`.
    #[must_use]
    pub fn good(&self) -> bool {
        self.code / 100 == 2
    }
}

/// The reply at the beginning of `bytes` (RFC 5321 4.2, RFC 959 4.2), several lines of it too, and how many bytes it is
/// long. `None`: it has not come to its end yet.
///
/// # Errors
/// It doesn't begin with a number.
pub fn reply(bytes: &[u8]) -> Result<Option<(Reply, usize)>, String> {
    let mut first = None;
    let mut at = 0;
    while let Some(length) = bytes.get(at..).and_then(|rest| rest.iter().position(|b| *b == b'\n')) {
        let line = bytes.get(at..at + length).unwrap_or_default();
        at += length + 1;
        let number = code(line);
        let Some(code) = first.or(number) else { return Err(shown(line)) };
        first = Some(code);
        if number == Some(code) && line.get(3) != Some(&b'-') {
            return Ok(Some((Reply { code, text: shown(line) }, at)));
        }
    }
    // What can't become a number any more need not be waited for.
    match bytes.get(..3) {
        Some(head) if first.is_none() && code(head).is_none() => Err(shown(bytes)),
        _ => Ok(None),
    }
}

/// The number at the beginning of a line, and nothing but a blank, a hyphen or the end behind it.
fn code(line: &[u8]) -> Option<u16> {
    let digits = line.get(..3).filter(|d| d.iter().all(u8::is_ascii_digit))?;
    let number: u16 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let end = matches!(line.get(3), None | Some(b' ' | b'-' | b'\r'));
    (end && (100..600).contains(&number)).then_some(number)
}

/// A line of POP3: `+OK`, else a refusal.
///
/// # Errors
/// It is not `+OK`.
pub fn pop(line: &[u8]) -> Result<String, String> {
    if line.starts_with(b"+OK") { Ok(shown(line)) } else { Err(shown(line)) }
}

/// The time stamp of a POP3 greeting (RFC 1939, APOP), with its angle brackets.
#[must_use]
pub fn pop_stamp(greeting: &[u8]) -> Option<&[u8]> {
    let start = greeting.iter().position(|b| *b == b'<')?;
    let end = greeting.get(start..)?.iter().position(|b| *b == b'>')?;
    let stamp = greeting.get(start..=start + end)?;
    stamp.contains(&b'@').then_some(stamp)
}

/// The greeting of an IMAP server.
///
/// # Errors
/// It is not `* OK` (or `* PREAUTH`).
pub fn imap_greeting(line: &[u8]) -> Result<String, String> {
    let upper = line.to_ascii_uppercase();
    let good = upper.starts_with(b"* OK") || upper.starts_with(b"* PREAUTH");
    if good { Ok(shown(line)) } else { Err(shown(line)) }
}

/// A line of an IMAP answer: `None` when it is not the one that ends the command of this tag.
///
/// # Errors
/// It ends the command, but not with `OK`.
pub fn imap_end(line: &[u8], tag: &str) -> Result<Option<String>, String> {
    let rest = line.strip_prefix(tag.as_bytes()).and_then(|r| r.strip_prefix(b" "));
    match rest {
        None => Ok(None),
        Some(rest) if rest.to_ascii_uppercase().starts_with(b"OK") => Ok(Some(shown(rest))),
        Some(rest) => Err(shown(rest)),
    }
}

/// The port of FTP's answer to `PASV` (`227 ... (h1,h2,h3,h4,p1,p2)`) or `EPSV` (`229 ... (|||port|)`).
#[must_use]
pub fn ftp_port(text: &str) -> Option<u16> {
    let inner = text.split_once('(').map_or(text, |(_, rest)| rest);
    let inner = inner.split_once(')').map_or(inner, |(inner, _)| inner);
    if let Some(rest) = inner.strip_prefix("|||") {
        return rest.strip_suffix('|')?.parse().ok().filter(|p| *p > 0);
    }
    // RFC 1123 4.1.2.6: the numbers may stand without brackets.
    let start = text.get(4..)?;
    let inner = start.find(|c: char| c.is_ascii_digit()).and_then(|i| start.get(i..))?;
    let mut numbers = inner.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u8>);
    for _ in 0..4 {
        numbers.next()?.ok()?;
    }
    let (high, low) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some(u16::from_be_bytes([high, low])).filter(|p| *p > 0)
}

/// What has come of a SIP answer: `None` when it is not final yet (nothing, half a line, 1xx).
///
/// # Errors
/// The answer is not `200 OK`.
pub fn sip(bytes: &[u8]) -> Result<Option<String>, String> {
    let mut rest = bytes;
    loop {
        let Some(end) = rest.iter().position(|b| *b == b'\n') else {
            let head = b"SIP/2.0 ";
            let so_far = rest.get(..head.len()).unwrap_or(rest);
            return if head.starts_with(so_far) { Ok(None) } else { Err(shown(rest)) };
        };
        let line = rest.get(..end).unwrap_or_default();
        if line.starts_with(b"SIP/2.0 200 OK") {
            return Ok(Some(shown(line)));
        }
        if !line.starts_with(b"SIP/2.0 1") {
            return Err(shown(line));
        }
        // A provisional answer has no body.
        match rest.windows(4).position(|w| w == b"\r\n\r\n").and_then(|at| rest.get(at + 4..)) {
            Some(next) => rest = next,
            None => return Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read_to_their_last_line() {
        let read = |text: &str| reply(text.as_bytes());
        let (r, length) = read("220 mail ESMTP\r\nmore").unwrap().unwrap();
        assert_eq!((r.code, r.good(), r.text.as_str(), length), (220, true, "220 mail ESMTP", 16));
        let (r, _) = read("250-mail\r\n250-SIZE\r\n250 HELP\r\n").unwrap().unwrap();
        assert_eq!((r.code, r.text.as_str()), (250, "250 HELP"));
        let (r, _) = read("230-Welcome\r\n 231 is no end\r\nfree text\r\n230 in\r\n").unwrap().unwrap();
        assert_eq!((r.code, r.text.as_str()), (230, "230 in"));
        for open in ["", "2", "22", "220", "220 mail", "250-mail\r\n", "250-mail\r\n250"] {
            assert_eq!(read(open), Ok(None), "{open:?}");
        }
        for bad in ["+OK\r\n", "HTTP/1.1 400 Bad\r\n", "22", "999 x\r\n", "\r\n", "2201 x\r\n"] {
            let found = read(&format!("{bad}\r\n"));
            assert!(found.is_err(), "{bad:?} {found:?}");
        }
        assert!(read("garbage without an end").is_err());
        assert_eq!(read("554 no\n").unwrap().unwrap().0.text, "554 no");
    }

    #[test]
    fn pop_and_imap_lines_are_judged_by_their_first_words() {
        assert!(pop(b"+OK ready").is_ok());
        assert_eq!(pop(b"-ERR no\x07pe"), Err("-ERR no?pe".into()));
        assert_eq!(pop_stamp(b"+OK <1.2@host> hello"), Some(&b"<1.2@host>"[..]));
        assert_eq!(pop_stamp(b"+OK <hello>"), None);
        assert_eq!(pop_stamp(b"+OK ready"), None);
        assert!(imap_greeting(b"* OK ready").is_ok());
        assert!(imap_greeting(b"* BYE full").is_err());
        assert_eq!(imap_end(b"* CAPABILITY IMAP4", "a1"), Ok(None));
        assert_eq!(imap_end(b"a1 ok done", "a1"), Ok(Some("ok done".into())));
        assert_eq!(imap_end(b"a1 NO wrong", "a1"), Err("NO wrong".into()));
        assert_eq!(imap_end(b"a11 OK", "a1"), Ok(None));
    }

    #[test]
    fn ftp_ports_are_found() {
        assert_eq!(ftp_port("227 Entering Passive Mode (10,0,0,2,4,1)."), Some(1025));
        assert_eq!(ftp_port("227 Entering Passive Mode 10,0,0,2,4,1"), Some(1025));
        assert_eq!(ftp_port("229 Extended (|||6446|)"), Some(6446));
        for bad in ["227 no", "227 (1,2,3,4,5)", "227 (1,2,3,4,0,0)", "227 (1,2,3,4,256,1)", "229 (|||x|)", "229 (|||70000|)", ""]
        {
            assert_eq!(ftp_port(bad), None, "{bad}");
        }
    }

    #[test]
    fn sip_wants_200_and_waits_for_it() {
        assert_eq!(sip(b"SIP/2.0 200 OK\r\nVia: x\r\n"), Ok(Some("SIP/2.0 200 OK".into())));
        assert_eq!(sip(b"SIP/2.0 100 Trying\r\nVia: x\r\n\r\nSIP/2.0 200 OK\r\n"), Ok(Some("SIP/2.0 200 OK".into())));
        for open in [&b""[..], b"SIP", b"SIP/2.0 200 OK", b"SIP/2.0 100 Trying\r\n", b"SIP/2.0 100 Trying\r\n\r\n"] {
            assert_eq!(sip(open), Ok(None), "{open:?}");
        }
        for bad in [&b"SIP/2.0 404 Not Found\r\n"[..], b"HTTP/1.1 200 OK\r\n", b"garbage", b"\n"] {
            assert!(sip(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_is_shown_is_short_and_printable() {
        assert_eq!(shown(b"\x1b[31mred\r\nsecond"), "?[31mred");
        assert_eq!(shown(b""), "an empty line");
        assert!(shown(&[0xff; 4000]).chars().count() <= SHOWN + 3);
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_them_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200), text in "[ -~]{0,40}") {
            let _ = (reply(&bytes), pop(&bytes), pop_stamp(&bytes), imap_greeting(&bytes), imap_end(&bytes, "a"));
            let _ = (ftp_port(&text), sip(&bytes), sip(&[b"SIP/2.0 1\r\n\r\n", &bytes[..]].concat()), reply(text.as_bytes()));
        }
    }
}
