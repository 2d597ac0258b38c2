//! Pieces of the file's bytes that know where they stand, and the searches the grammar is made of.

use crate::config::diag::{Span, Spanned};

/// Some bytes of the file and the offset of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Text<'a> {
    /// The bytes.
    pub(super) bytes: &'a [u8],
    /// Offset of the first one in the file.
    pub(super) start: usize,
}

impl<'a> Text<'a> {
    pub(super) fn new(bytes: &'a [u8], start: usize) -> Self {
        Self { bytes, start }
    }

    pub(super) fn span(self) -> Span {
        Span::new(self.start, self.start + self.bytes.len())
    }

    /// The text; what is not UTF-8 is replaced.
    pub(super) fn string(self) -> String {
        String::from_utf8_lossy(self.bytes).into_owned()
    }

    pub(super) fn spanned(self) -> Spanned<String> {
        Spanned::new(self.string(), self.span())
    }

    /// `value`, written here.
    pub(super) fn with<T>(self, value: T) -> Spanned<T> {
        Spanned::new(value, self.span())
    }

    pub(super) fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether there is nothing but white space.
    pub(super) fn is_blank(self) -> bool {
        self.bytes.iter().all(|&b| blank(b))
    }

    /// What comes before and from offset `at` on.
    pub(super) fn split(self, at: usize) -> (Self, Self) {
        let at = at.min(self.bytes.len());
        let (head, tail) = self.bytes.split_at(at);
        (Self::new(head, self.start), Self::new(tail, self.start + at))
    }

    pub(super) fn take(self, count: usize) -> Self {
        self.split(count).0
    }

    pub(super) fn skip(self, count: usize) -> Self {
        self.split(count).1
    }

    /// The longest beginning of bytes that `of` accepts, and the rest.
    pub(super) fn span_of(self, of: impl Fn(u8) -> bool) -> (Self, Self) {
        self.split(self.bytes.iter().position(|&b| !of(b)).unwrap_or(self.bytes.len()))
    }

    /// The first run of bytes that `of` accepts, wherever it begins.
    pub(super) fn run(self, of: impl Fn(u8) -> bool) -> Option<Self> {
        let from = self.bytes.iter().position(|&b| of(b))?;
        Some(self.skip(from).span_of(of).0)
    }

    pub(super) fn trim_start(self) -> Self {
        self.span_of(blank).1
    }

    pub(super) fn trim_end(self) -> Self {
        self.take(self.bytes.iter().rposition(|&b| !blank(b)).map_or(0, |last| last + 1))
    }

    pub(super) fn strip_prefix(self, prefix: &[u8]) -> Option<Self> {
        self.bytes.starts_with(prefix).then(|| self.skip(prefix.len()))
    }

    /// What stands between a quote at the beginning and the last quote.
    pub(super) fn quoted(self) -> Option<Self> {
        let rest = self.strip_prefix(b"\"")?;
        rest.bytes.iter().rposition(|&b| b == b'"').map(|end| rest.take(end))
    }

    /// The number of its first digits. One that is too large is the largest.
    pub(super) fn number(self) -> Option<Spanned<u32>> {
        self.run(|b| b.is_ascii_digit()).map(Self::digits)
    }

    /// The value of digits; the largest number where it is too large.
    pub(super) fn digits(self) -> Spanned<u32> {
        let value = self.bytes.iter().fold(0u32, |n, &b| n.saturating_mul(10).saturating_add(u32::from(b.saturating_sub(b'0'))));
        self.with(value)
    }
}

/// White space as Perl's `\s` has it.
pub(super) fn blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c)
}

/// Perl's `\w`.
pub(super) fn word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

/// What a host name may consist of.
pub(super) fn host(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'+' | b'-')
}

/// What a port or service name may consist of.
pub(super) fn port(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')
}

/// One line of the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// Without the newline.
    pub(super) text: Text<'a>,
    /// Whether a newline ends it.
    ended: bool,
}

impl Line<'_> {
    /// As the original's messages quote it: with its newline.
    pub(super) fn quoted(self) -> String {
        let mut text = self.text.string();
        if self.ended {
            text.push('\n');
        }
        text
    }

    /// Whether there is nothing but a comment.
    pub(super) fn is_comment(self) -> bool {
        self.text.trim_start().bytes.first() == Some(&b'#')
    }

    /// The columns it is indented by, a tab counting four, as the original counts.
    pub(super) fn indentation(self) -> usize {
        self.text.span_of(indent).0.bytes.iter().map(|&b| if b == b'\t' { 4 } else { 1 }).sum()
    }
}

/// What indents a line.
pub(super) fn indent(b: u8) -> bool {
    b == b' ' || b == b'\t'
}

/// The lines of a file.
pub(super) fn lines(bytes: &[u8]) -> Vec<Line<'_>> {
    let mut start = 0;
    bytes
        .split_inclusive(|&b| b == b'\n')
        .map(|raw| {
            let bytes = raw.strip_suffix(b"\n").unwrap_or(raw);
            let line = Line { text: Text::new(bytes, start), ended: bytes.len() != raw.len() };
            start += raw.len();
            line
        })
        .collect()
}
