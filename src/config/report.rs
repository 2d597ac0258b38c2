//! Findings in heartbeat's three files as heartbeat reports them: log lines, excerpts between them, the closing lines.

use super::diag::{Diagnostic, Severity, Source};

/// One of the three files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Which {
    /// `ha.cf`.
    HaCf,
    /// `authkeys`.
    Authkeys,
    /// `haresources`.
    Haresources,
}

/// A finding and its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which file.
    pub file: Which,
    /// Found only when the lines were put together: such a finding may follow from another one, and the original does not
    /// look for it in a file that has errors of its own.
    pub late: bool,
    /// What.
    pub diagnostic: Diagnostic,
}

impl Finding {
    /// A finding of the file's parser, or about one line.
    #[must_use]
    pub fn new(file: Which, diagnostic: Diagnostic) -> Self {
        Self { file, late: false, diagnostic }
    }

    /// A finding about lines that don't fit together.
    #[must_use]
    pub fn late(file: Which, diagnostic: Diagnostic) -> Self {
        Self { file, late: true, diagnostic }
    }
}

/// The contents of the three files for excerpts. Those of `authkeys` must have been through `authkeys::masked`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// `ha.cf`.
    pub ha_cf: Source,
    /// `authkeys`, its keys masked.
    pub authkeys: Source,
    /// `haresources`.
    pub haresources: Source,
}

impl Sources {
    /// The contents of one of them.
    #[must_use]
    pub fn of(&self, which: Which) -> &Source {
        match which {
            Which::HaCf => &self.ha_cf,
            Which::Authkeys => &self.authkeys,
            Which::Haresources => &self.haresources,
        }
    }
}

/// A part of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A log line without its prefix.
    Log(Severity, String),
    /// Lines for the reader at the terminal, ending in a newline.
    Excerpt(String),
}

/// Whether heartbeat must not start.
#[must_use]
pub fn has_errors(findings: &[Finding]) -> bool {
    findings.iter().any(|f| f.diagnostic.is_error())
}

/// The report: each finding as its log line and its excerpt, in the original's order of the files, and the closing lines if
/// there is an error. A line and a column stand behind the original's text.
#[must_use]
pub fn parts(findings: &[Finding], sources: &Sources) -> Vec<Part> {
    let mut out = Vec::new();
    let closing = |out: &mut Vec<Part>, late: Option<bool>, file: Which, text: &str| {
        let of = |f: &&Finding| f.file == file && late.is_none_or(|l| f.late == l);
        let mut failed = false;
        for finding in findings.iter().filter(of) {
            failed |= finding.diagnostic.is_error();
            let source = sources.of(file);
            out.push(Part::Log(finding.diagnostic.severity, located(&finding.diagnostic, source)));
            let excerpt = source.excerpt(&finding.diagnostic);
            if !excerpt.is_empty() {
                out.push(Part::Excerpt(excerpt));
            }
        }
        if failed && !text.is_empty() {
            out.push(Part::Log(Severity::Error, text.to_owned()));
        }
    };
    closing(&mut out, Some(false), Which::HaCf, "Heartbeat not started: configuration error.");
    closing(&mut out, Some(true), Which::HaCf, "");
    closing(&mut out, None, Which::Authkeys, "Authentication configuration error.");
    closing(&mut out, None, Which::Haresources, "");
    if has_errors(findings) {
        out.push(Part::Log(Severity::Error, "Configuration error, heartbeat not started.".to_owned()));
    }
    out
}

/// The report as text; `prefix` makes a whole line, without its end, of a level's word and a text.
#[must_use]
pub fn render(parts: &[Part], prefix: impl Fn(&str, &str) -> String) -> String {
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Log(severity, text) => {
                out.push_str(&prefix(level(*severity), text));
                out.push('\n');
            }
            Part::Excerpt(text) => out.push_str(text),
        }
    }
    out
}

/// The level's word in a log line.
#[must_use]
pub fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "WARN",
        Severity::Error => "ERROR",
    }
}

fn located(diagnostic: &Diagnostic, source: &Source) -> String {
    match diagnostic.span {
        Some(span) => {
            let (line, column) = source.line_column(span.start);
            // Most of the original's texts name the file.
            let file = if diagnostic.what.contains(&source.name) { String::new() } else { format!(", {}", source.name) };
            format!("{}{file}, line {line}, column {column}", diagnostic.what)
        }
        None => diagnostic.what.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::diag::Span;

    fn sources() -> Sources {
        Sources {
            ha_cf: Source::new("/etc/ha.d//ha.cf", b"node a\nfoo bar\n".to_vec()),
            authkeys: Source::new("/etc/ha.d//authkeys", b"auth 1\n".to_vec()),
            haresources: Source::new("/etc/ha.d//haresources", Vec::new()),
        }
    }

    fn report(findings: &[Finding]) -> String {
        render(&parts(findings, &sources()), |level, text| format!("heartbeat: [7]: {level}: {text}"))
    }

    #[test]
    fn an_error_has_its_place_its_excerpt_and_the_closing_lines() {
        let d = Diagnostic::error(Span::new(7, 10), "Illegal directive [foo] in /etc/ha.d//ha.cf").hint("no such thing");
        let text = report(&[Finding::new(Which::HaCf, d)]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "heartbeat: [7]: ERROR: Illegal directive [foo] in /etc/ha.d//ha.cf, line 2, column 1");
        assert!(text.contains("--> /etc/ha.d//ha.cf:2:1") && text.contains("^^^ no such thing"), "{text}");
        assert!(text.ends_with(
            "heartbeat: [7]: ERROR: Heartbeat not started: configuration error.\n\
             heartbeat: [7]: ERROR: Configuration error, heartbeat not started.\n"
        ));
    }

    #[test]
    fn a_line_of_the_log_names_the_file_once() {
        let d = |what: &str| Finding::new(Which::HaCf, Diagnostic::warning(Span::new(7, 10), what));
        let text = report(&[d("node a is given twice"), d("Illegal directive [foo] in /etc/ha.d//ha.cf")]);
        assert!(text.contains("WARN: node a is given twice, /etc/ha.d//ha.cf, line 2, column 1\n"), "{text}");
        assert!(text.contains("[foo] in /etc/ha.d//ha.cf, line 2, column 1\n"), "{text}");
    }

    #[test]
    fn an_open_key_file_gives_the_three_lines_that_people_search_for() {
        let what = "Bad permissions on keyfile [/etc/ha.d//authkeys], 600 recommended.";
        let d = Diagnostic::error(Span::default(), what).whole_file();
        let lines = "ERROR: Bad permissions on keyfile [/etc/ha.d//authkeys], 600 recommended.\n\
                     ERROR: Authentication configuration error.\n\
                     ERROR: Configuration error, heartbeat not started.\n";
        assert_eq!(report(&[Finding::new(Which::Authkeys, d)]).replace("heartbeat: [7]: ", ""), lines);
    }

    #[test]
    fn what_is_found_late_gives_the_second_closing_line_only() {
        let d = Diagnostic::error(Span::default(), "No heartbeat media defined").whole_file();
        let want = "ERROR: No heartbeat media defined\nERROR: Configuration error, heartbeat not started.\n";
        assert_eq!(report(&[Finding::late(Which::HaCf, d)]).replace("heartbeat: [7]: ", ""), want);
    }

    #[test]
    fn warnings_alone_close_nothing() {
        let d = Diagnostic::warning(Span::new(0, 4), "hm");
        assert!(!report(&[Finding::new(Which::HaCf, d)]).contains("not started"));
    }
}
