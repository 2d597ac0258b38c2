//! One line of `ha.cf` cut into words, each with its place.

use super::super::diag::{Span, Spanned};

/// A directive and what follows it, without the comment.
#[derive(Debug, Clone)]
pub(super) struct Line<'a> {
    /// The whole file.
    bytes: &'a [u8],
    /// The directive's name.
    pub(super) name: Spanned<String>,
    /// What follows the name, without blanks at its ends; empty if nothing does.
    pub(super) rest: Span,
}

impl<'a> Line<'a> {
    /// The values of directives that take one after the other: blanks and commas separate.
    pub(super) fn values(&self) -> Vec<Spanned<String>> {
        self.split(|b| is_blank(b) || b == b',')
    }

    /// The fields of directives that read the line as a whole: only blanks separate.
    pub(super) fn fields(&self) -> Vec<Spanned<String>> {
        self.split(is_blank)
    }

    /// What follows the name, as text.
    pub(super) fn rest_text(&self) -> String {
        text(self.bytes, self.rest)
    }

    /// What follows `from`, without blanks at its ends, as text.
    pub(super) fn text_from(&self, from: usize) -> String {
        text(self.bytes, Span::new(from.min(self.rest.end), self.rest.end))
    }

    /// From the directive's name to the end of its last value.
    pub(super) fn span(&self) -> Span {
        Span::new(self.name.span.start, self.rest.end.max(self.name.span.end))
    }

    fn split(&self, separates: impl Fn(u8) -> bool) -> Vec<Spanned<String>> {
        words(self.bytes, self.rest, separates)
    }
}

/// Every line of the file that has a directive, and every `#lvs-ha:` comment as a line of its own kind.
pub(super) fn lines(bytes: &[u8]) -> Vec<Cut<'_>> {
    let mut out = Vec::new();
    let mut start = 0;
    for raw in bytes.split(|&b| b == b'\n') {
        let whole = Span::new(start, start + raw.len());
        start += raw.len() + 1;
        let indent = raw.iter().take_while(|&&b| is_blank(b)).count();
        let own = raw.get(indent..).and_then(|r| r.strip_prefix(OWN));
        let (text, ours) = match own {
            Some(_) => (Span::new(whole.start + indent + OWN.len(), whole.end), true),
            None => {
                let end = raw.iter().position(|&b| b == b'#').unwrap_or(raw.len());
                (Span::new(whole.start, whole.start + end), false)
            }
        };
        let Some(name) = words(bytes, text, is_blank_or_comma).into_iter().next() else { continue };
        let rest = trim(bytes, Span::new(name.span.end, text.end));
        let line = Line { bytes, name, rest };
        out.push(if ours { Cut::Own(line) } else { Cut::Directive(line) });
    }
    out
}

/// A line that says something.
#[derive(Debug, Clone)]
pub(super) enum Cut<'a> {
    /// Heartbeat's.
    Directive(Line<'a>),
    /// `#lvs-ha: name value`: a comment to the original.
    Own(Line<'a>),
}

/// What starts a line of our own.
const OWN: &[u8] = b"#lvs-ha:";

/// White space inside a line; a carriage return is, so that files from Windows are read as the original reads them.
pub(in crate::config) fn is_blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r' | 0x0b | 0x0c)
}

fn is_blank_or_comma(b: u8) -> bool {
    is_blank(b) || b == b','
}

/// The words of a part of the file.
pub(in crate::config) fn words(bytes: &[u8], part: Span, separates: impl Fn(u8) -> bool) -> Vec<Spanned<String>> {
    let mut out = Vec::new();
    let mut at = part.start;
    for word in bytes.get(part.range()).unwrap_or_default().split(|&b| separates(b)) {
        let span = Span::new(at, at + word.len());
        at = span.end + 1;
        if !word.is_empty() {
            out.push(Spanned::new(String::from_utf8_lossy(word).into_owned(), span));
        }
    }
    out
}

fn trim(bytes: &[u8], part: Span) -> Span {
    let text = bytes.get(part.range()).unwrap_or_default();
    let lead = text.iter().take_while(|&&b| is_blank_or_comma(b)).count();
    let tail = text.iter().skip(lead).rev().take_while(|&&b| is_blank(b)).count();
    Span::new(part.start + lead, part.end - tail)
}

fn text(bytes: &[u8], part: Span) -> String {
    String::from_utf8_lossy(bytes.get(trim(bytes, part).range()).unwrap_or_default()).into_owned()
}
