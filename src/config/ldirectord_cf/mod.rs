//! `ldirectord.cf`: bytes to a low model that mirrors the file, with all errors at once.
//!
//! The grammar is the original's, by line: directives in column 1, blocks of `virtual=` with indented lines. Values are
//! found by search as there (`checktimeout = 3x` is 3). What needs names, defaults or a look at several directives
//! together is done by [`crate::config::resolve::director`]. Messages are the original's; hints are ours.

mod advice;
mod block;
mod global;
mod hints;
mod model;
mod own;
mod server;
mod shared;
mod text;

pub use self::advice::advice;
pub use self::model::{Address, CheckType, Fallback, File, Globals, Protocol, Real, Service, Shared, Virtual};
use self::text::{Line, Text};
use crate::config::diag::{Diagnostic, Severity, Source, Span};
use crate::ipvs::model::Family;

/// The model of a file and everything that is wrong with its lines, in the file's order.
#[must_use]
pub fn parse(bytes: &[u8]) -> (File, Vec<Diagnostic>) {
    let mut parser = Parser { lines: text::lines(bytes), at: 0, file: File::default(), found: Vec::new(), open: false };
    parser.run();
    let Parser { file, mut found, .. } = parser;
    found.sort_by_key(|d| d.span.map_or(usize::MAX, |s| s.start));
    (file, found)
}

/// A finding as the original prints it, the column added, then the excerpt and the hint; ends in a newline.
#[must_use]
pub fn describe_error(pid: u32, source: &Source, diagnostic: &Diagnostic) -> String {
    let word = match diagnostic.severity {
        Severity::Error => "Error",
        Severity::Warning => "Warning",
        Severity::Info => "Info",
    };
    let what = diagnostic.what.trim_end();
    let excerpt = source.excerpt(diagnostic);
    match diagnostic.span {
        Some(span) => {
            let (line, column) = source.line_column(span.start);
            format!("{word} [{pid}] reading file {} at line {line}: {what}, column {column}\n{excerpt}", source.name)
        }
        None => format!("{word} [{pid}]: {what}\n{excerpt}"),
    }
}

/// Whether there is a directive of that name.
#[must_use]
pub fn is_directive(name: &str) -> bool {
    hints::is_directive(name)
}

/// Where a directive stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Outside of blocks.
    Global,
    /// In a block.
    Block,
}

struct Parser<'a> {
    lines: Vec<Line<'a>>,
    /// Index of the next line.
    at: usize,
    file: File,
    found: Vec<Diagnostic>,
    /// Whether an indented line may have been meant for the last block.
    open: bool,
}

impl<'a> Parser<'a> {
    fn run(&mut self) {
        while let Some(&line) = self.lines.get(self.at) {
            if line.text.is_blank() || line.is_comment() {
                if let Some(setting) = own::setting(line) {
                    self.own(line, setting);
                }
                self.at += 1;
            } else if let Some((family, value)) = virtual_line(line.text) {
                let address = server::address(value, family, &mut self.found);
                self.file.virtuals.push(Virtual::new(line.text.span(), family, address));
                self.open = true;
                self.at += 1;
                self.block(false);
            } else if line.indentation() > 0 {
                self.misplaced(line);
            } else {
                self.at += 1;
                global::directive(line, &mut self.file.globals, &mut self.found);
                // A line that only forgot its indentation has been reported; those behind it still belong to the block.
                self.open &= assignment(line.text).is_some_and(|(name, _)| hints::only_in_block(name.bytes));
                if self.open {
                    self.block(true);
                }
            }
        }
    }

    /// Reads the lines of the last block. After an error in the indentation (`lenient`) the writer's intent counts: what is
    /// indented belongs to the block.
    fn block(&mut self, lenient: bool) {
        let Some(into) = self.file.virtuals.last_mut() else { return };
        while let Some(&line) = self.lines.get(self.at) {
            if let Some(setting) = own::setting(line) {
                if line.indentation() >= 4 || (lenient && line.indentation() > 0) {
                    own::directive(setting, &mut into.shared, None, &mut self.found);
                } else {
                    own::global(setting, &mut self.file.globals, &mut self.found);
                }
            } else if !line.is_comment() {
                let (uncommented, comment) = line.text.span_of(|b| b != b'#');
                let (indent, mut rest) = uncommented.span_of(text::indent);
                let indentation = Line::indentation(line);
                let enough = if lenient { indentation > 0 && !rest.is_blank() } else { indentation >= 4 };
                if !enough || (rest.is_empty() && indentation == 4) {
                    break;
                }
                if !comment.is_empty() {
                    rest = rest.trim_end();
                }
                if rest.is_empty() {
                    let error = Diagnostic::error(indent.span(), format!("Unknown command \"{}\"", line.quoted()));
                    self.found.push(error.hint("a line of blanks is no empty line to a virtual block: delete it"));
                } else {
                    block::directive(line, rest, into, &mut self.found);
                }
            }
            self.at += 1;
        }
        let end = match (self.lines.get(self.at), self.lines.last()) {
            (Some(next), _) => next.text.start,
            (None, last) => last.map_or(0, |l| l.text.span().end),
        };
        into.end = Span::new(end, end);
    }

    /// A setting of our own outside of any block.
    fn own(&mut self, line: Line<'_>, setting: Text<'_>) {
        if line.indentation() > 0 {
            let error = Diagnostic::error(line.text.trim_start().trim_end().span(), "a setting of no block");
            self.found.push(error.hint("outside of virtual blocks #lvs-ha: begins in column 1; a blank line ends a block"));
            return;
        }
        own::global(setting, &mut self.file.globals, &mut self.found);
    }

    /// An indented line outside of any block: reported once, then the rest is read as what it was meant to be.
    fn misplaced(&mut self, line: Line<'_>) {
        let blank = self.at.checked_sub(1).and_then(|i| self.lines.get(i)).is_some_and(|l| l.text.is_blank());
        let text = line.text.trim_start();
        if let Some((family, value)) = virtual_line(text) {
            self.found.push(unknown_global(line).hint("virtual= begins in column 1: delete the blanks before it"));
            let address = server::address(value, family, &mut self.found);
            self.file.virtuals.push(Virtual::new(text.span(), family, address));
            self.open = true;
            self.at += 1;
            return self.block(false);
        }
        let of_block = assignment(text).is_some_and(|(name, _)| hints::only_in_block(name.bytes));
        let hint = if !self.open && of_block {
            "there is no virtual= above it: such a line stands indented below the virtual= that it belongs to"
        } else if !self.open {
            "outside of virtual blocks a directive begins in column 1"
        } else if blank {
            "the blank line above ended the virtual block: delete it, or put a # on it"
        } else {
            "a line of a virtual block is indented by at least four blanks or a tab"
        };
        self.found.push(unknown_global(line).hint(hint));
        if self.open {
            self.block(true);
        } else {
            self.at += 1;
        }
    }
}

/// `virtual=` or `virtual6=` in column 1, and what follows.
fn virtual_line(text: Text<'_>) -> Option<(Family, Text<'_>)> {
    let (name, value) = assignment(text)?;
    match name.bytes {
        b"virtual" => Some((Family::Inet, value)),
        b"virtual6" => Some((Family::Inet6, value)),
        _ => None,
    }
}

/// `name = value`: the value up to the end of the line, blanks at its end included.
fn assignment(text: Text<'_>) -> Option<(Text<'_>, Text<'_>)> {
    let (name, rest) = text.span_of(|b| text::word(b) || b == b'-');
    let value = rest.trim_start().strip_prefix(b"=")?.trim_start();
    (!name.is_empty()).then_some((name, value))
}

fn unknown_global(line: Line<'_>) -> Diagnostic {
    let text = line.text.trim_start().trim_end();
    Diagnostic::error(text.span(), format!("Unknown command {} ", line.quoted()))
}

#[cfg(test)]
mod tests;
