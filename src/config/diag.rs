//! What is wrong in a file, where, and what to do about it; and how that is shown.
//!
//! Every parser returns its model *and* all of its diagnostics. The first line of an error is the original program's
//! text (scripts and readers know it); the column, the underlined excerpt and the hint come after it.

use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};

/// A place in a file: a byte range of its contents. An empty range points between two bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset behind the last byte.
    pub end: usize,
}

impl Span {
    /// The bytes `start..end`.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// The same as a range.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// A value together with where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// `value`, written at `span`.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Told, without consequence.
    Info,
    /// The file is used; the reader should know.
    Warning,
    /// The file is not used.
    Error,
}

/// One finding in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where; `None` when the finding is about the whole file (a directive that is missing).
    pub span: Option<Span>,
    /// How bad.
    pub severity: Severity,
    /// The message, in the original's words where it has some; no file, line or column in it.
    pub what: String,
    /// What was expected or what the writer probably meant.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// An error at `span`.
    pub fn error(span: Span, what: impl Into<String>) -> Self {
        Self { span: Some(span), severity: Severity::Error, what: what.into(), hint: None }
    }

    /// A warning at `span`.
    pub fn warning(span: Span, what: impl Into<String>) -> Self {
        Self { span: Some(span), severity: Severity::Warning, what: what.into(), hint: None }
    }

    /// A remark about the file as a whole.
    pub fn info(what: impl Into<String>) -> Self {
        Self { span: None, severity: Severity::Info, what: what.into(), hint: None }
    }

    /// The same, about the file as a whole.
    #[must_use]
    pub fn whole_file(mut self) -> Self {
        self.span = None;
        self
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Its level as the excerpts show it.
    fn level(&self) -> Level<'static> {
        match self.severity {
            Severity::Info => Level::INFO,
            Severity::Warning => Level::WARNING,
            Severity::Error => Level::ERROR,
        }
    }

    /// Whether the file can't be used because of this.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Whether any of them is an error.
#[must_use]
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(Diagnostic::is_error)
}

/// A file's name and contents, for turning spans into lines and columns and for excerpts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The path as shown to the user.
    pub name: String,
    /// The contents. Old files carry other encodings in comments: nothing assumes UTF-8.
    pub bytes: Vec<u8>,
}

impl Source {
    /// `bytes` under the name `name`.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), bytes: bytes.into() }
    }

    /// Line and column of a byte offset, both from 1; the column counts characters.
    #[must_use]
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let before = self.bytes.get(..offset.min(self.bytes.len())).unwrap_or_default();
        let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
        let start = before.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
        let column = String::from_utf8_lossy(before.get(start..).unwrap_or_default()).chars().count() + 1;
        (line, column)
    }

    /// The excerpt with the span underlined and the hint below it, without colour, ending in a newline.
    #[must_use]
    pub fn excerpt(&self, diagnostic: &Diagnostic) -> String {
        match (diagnostic.span, &diagnostic.hint) {
            (Some(span), hint) => {
                let group = Group::with_level(diagnostic.level());
                Renderer::plain().render(&[group.element(self.snippet(span, hint.as_deref()))]) + "\n"
            }
            (None, Some(hint)) => format!("  = {}: {hint}\n", self.name),
            (None, None) => String::new(),
        }
    }

    /// The finding as compilers show theirs: what, where, the line with the place underlined, the hint; ends in a newline.
    #[must_use]
    pub fn shown(&self, diagnostic: &Diagnostic, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let title = diagnostic.level().primary_title(one_line(&diagnostic.what));
        let group = match (diagnostic.span, &diagnostic.hint) {
            (Some(span), hint) => title.element(self.snippet(span, hint.as_deref())),
            (None, hint) => {
                let group = title.element(Origin::path(self.name.as_str()));
                hint.iter().fold(group, |group, hint| group.element(Level::HELP.message(hint.as_str())))
            }
        };
        renderer.render(&[group]) + "\n"
    }

    /// The lines of a span. Only those: the rest of a long file would be looked through for each finding again.
    fn snippet<'a>(&'a self, span: Span, hint: Option<&'a str>) -> Snippet<'a, Annotation<'a>> {
        let at = |offset: usize| offset.min(self.bytes.len());
        let (start, end) = (at(span.start), at(span.end.max(span.start)));
        let before = self.bytes.get(..start).unwrap_or_default();
        let first = before.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
        let behind = self.bytes.get(end..).unwrap_or_default();
        let last = behind.iter().position(|&b| b == b'\n').map_or(self.bytes.len(), |i| end + i);
        // Lossy text changes offsets, so both ends are measured in the converted text.
        let text = |to: usize| String::from_utf8_lossy(self.bytes.get(first..to).unwrap_or_default());
        let whole = text(last);
        let range = text(start).len().min(whole.len())..text(end).len().min(whole.len());
        let annotation = AnnotationKind::Primary.span(range).label(hint);
        let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
        Snippet::source(whole).line_start(line).path(self.name.as_str()).annotation(annotation)
    }
}

/// A message on one line: some quote a whole line with its end.
fn one_line(text: &str) -> String {
    let text = text.replace('\n', "");
    text.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_and_column_count_from_one_and_by_character() {
        let s = Source::new("f", "ab\nc\u{e4}d\n");
        assert_eq!(s.line_column(0), (1, 1));
        assert_eq!(s.line_column(3), (2, 1));
        assert_eq!(s.line_column(6), (2, 3));
        assert_eq!(s.line_column(1000), (3, 1));
    }

    #[test]
    fn the_excerpt_is_of_the_findings_lines_alone() {
        let s = Source::new("f", "a\nbc\nde\nf\n");
        let text = s.excerpt(&Diagnostic::error(Span::new(3, 7), "bad").hint("two lines"));
        assert!(text.contains("f:2:2") && text.contains("2 | ") && text.contains("bc") && text.contains("3 | "), "{text}");
        assert!(!text.contains("| a") && !text.contains("| f"), "{text}");
        let text = s.excerpt(&Diagnostic::error(Span::new(10, 10), "bad").hint("behind the last line"));
        assert!(text.contains("f:5:1") && text.contains("behind the last line"), "{text}");
    }

    #[test]
    fn the_excerpt_names_file_line_and_column_and_survives_other_encodings() {
        let s = Source::new("ha.cf", b"# gr\xfcn\nkeepalive x\n".to_vec());
        let d = Diagnostic::error(Span::new(17, 18), "bad").hint("a number of seconds");
        let text = s.excerpt(&d);
        assert!(text.contains("ha.cf:2:11"), "{text}");
        assert!(text.contains("^ a number of seconds"), "{text}");
    }
}
