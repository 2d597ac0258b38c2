//! Perl regular expressions, as `receive=` has them: translated once, for the check of the file and for the checks.
//!
//! Matching is by bytes, as in Perl on a body that was not decoded: `.` is one byte, `\d \w \s` and `(?i)` are ASCII.
//! Not Perl here: recursion, branch reset, verbs, embedded code, Unicode properties; these are errors.

mod perl;

use fancy_regex::{BytesMode, Regex, RegexBuilder};

/// Steps back that one match may take before it is given up (an error, never a hanging check).
const BACKTRACKS: usize = 1_000_000;
/// Bytes that one compiled pattern may take, about.
const SIZE: usize = 4 << 20;
/// Longest pattern.
const LENGTH: usize = 8192;

/// Why a text is no pattern.
#[derive(Debug, thiserror::Error)]
pub enum PatternError {
    /// Something of Perl that is not understood here.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// It breaks off.
    #[error("{0} is not closed")]
    Open(&'static str),
    /// Longer than anybody writes.
    #[error("longer than {LENGTH} bytes")]
    Long,
    /// The engine refuses it.
    #[error("{}", short(.0))]
    Syntax(Box<fancy_regex::Error>),
}

/// The engine's reason in one line, without the position: that counts in the translated pattern.
fn short(error: &fancy_regex::Error) -> String {
    let text = error.to_string();
    let reason = text.lines().rev().map(str::trim).find(|l| !l.is_empty()).unwrap_or("not a regular expression");
    match reason.strip_prefix("Parsing error at position").and_then(|r| r.split_once(": ")) {
        Some((_, reason)) => reason.to_lowercase(),
        None => reason.to_owned(),
    }
}

/// Compiles a Perl pattern. Match bytes with it: `regex.is_match(&body[..])`; an error then means too much backtracking.
pub fn compile(pattern: &str) -> Result<Regex, PatternError> {
    if pattern.len() > LENGTH {
        return Err(PatternError::Long);
    }
    let translated = perl::translate(pattern)?;
    RegexBuilder::new(&translated)
        .bytes_mode(BytesMode::Ascii)
        .unicode_mode(false)
        .backtrack_limit(BACKTRACKS)
        .delegate_size_limit(SIZE)
        .build()
        .map_err(|e| PatternError::Syntax(Box::new(e)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, body: &[u8]) -> bool {
        compile(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}")).is_match(body).unwrap()
    }

    #[test]
    fn dollar_matches_at_the_end_and_before_a_newline_there() {
        for body in [&b"server 12 OK"[..], b"server 12 OK\n"] {
            assert!(matches("server 1[2-9] (OK|fine)$", body));
            assert!(matches(r"OK\Z", body));
        }
        assert!(!matches("OK$", b"OK\nmore\n"));
        assert!(!matches("OK$", b"OK\n\n"));
        assert!(!matches(r"OK\z", b"OK\n"));
        assert!(matches("(?m)OK$", b"OK\nmore\n"));
        assert!(matches("(?m:^more$)", b"OK\nmore\n"));
        assert!(!matches("(?:(?m)x|y)^more$", b"y\nmore\n"), "flags end with their group");
    }

    #[test]
    fn literals_and_braces_mean_what_they_mean_in_perl() {
        for (pattern, body) in [
            ("{\"status\":\"up\"}", &b"{\"status\":\"up\"}"[..]),
            ("a{2}b{x}", b"aab{x}"),
            ("a{,}", b"a{,}"),
            (r"\<html\>", b"<html>"),
            (r"\/index\-1\.html\:", b"/index-1.html:"),
            ("[]a]", b"]"),
            ("[^]]x", b"ax"),
            ("[a&&b]", b"&"),
            ("[[x]", b"["),
            ("[a-]", b"-"),
            (r"[\w-]+$", b"--a"),
            (r"[\]\\]", b"\\"),
            ("[[:alpha:]]+1", b"abc1"),
            ("a b", b"a b"),
            ("a#b~%@", b"a#b~%@"),
            (r"\x41\x{42}\103\t\e\cA", b"ABC\t\x1b\x01"),
            (r"\yes\i", b"yesi"),
            ("]}", b"]}"),
            (r"a\h+b", b"a \tb"),
            (r"a\Rb", b"a\r\nb"),
            (r"a\Nb", b"a.b"),
            ("(?x) a b # c", b"ab"),
            ("(?#note)ok", b"ok"),
            ("(?^:ok)", b"ok"),
            ("(?^i:ok)", b"OK"),
            ("(?i-s)OK", b"ok"),
        ] {
            assert!(matches(pattern, body), "{pattern}");
        }
        assert!(!matches("[a-c]", b"-"));
        assert!(!matches(r"\h", b"a"), "no hexadecimal digit");
        assert!(!matches(r"\<b", b"b"), "no start of a word");
    }

    #[test]
    fn what_the_field_uses_works() {
        assert!(matches(r"(?i)welcome", b"<h1>WELCOME</h1>"));
        assert!(matches(r"^(?!.*error).*ok", b"all ok"));
        assert!(!matches(r"^(?!.*error).*ok", b"error, not ok"));
        assert!(matches(r"(?<=id=)\d+", b"id=42"));
        assert!(matches(r"(\w)\1", b"book"));
        assert!(matches(r"(\w)\g{-1}", b"book"));
        assert!(matches(r"(\w)(x)?\g1", b"oo"));
        assert!(matches(r"(?<c>\w)\k<c>", b"book"));
        assert!(matches(r"(?'c'\w)\k'c'", b"book"));
        assert!(matches(r"(?P<c>\w)(?P=c)", b"book"));
        assert!(matches(r"a++b", b"aab"));
        assert!(!matches(r"a++a", b"aaa"));
        assert!(matches(r"(?>a+)b", b"aab"));
        assert!(matches(r"\bOK\b", b"is OK."));
        assert!(matches(r"^PO.G", b"PONG"));
    }

    #[test]
    fn bytes_are_matched_not_characters() {
        assert!(matches("gr.n$", b"gr\xfcn"));
        assert!(!matches("^gr.n$", "gr\u{fc}n".as_bytes()));
        assert!(matches("gr\u{fc}n", "gr\u{fc}n".as_bytes()));
        assert!(matches("gr[\u{fc}]+n", "gr\u{fc}n".as_bytes()));
        assert!(matches(r"gr\xfcn", b"gr\xfcn"));
        assert!(matches(r"[^a]", b"\xff"));
        assert!(matches("a.b", b"a\xffb"));
    }

    #[test]
    fn what_is_no_pattern_is_an_error() {
        for pattern in
            ["(", "a)", "[a", "*a", "a**", r"\", "(?<x", "(?{1})", "(?R)", "(?|a)", "(*FAIL)", r"\p{L}", "[z-a]", r"\1"]
        {
            assert!(compile(pattern).is_err(), "{pattern}");
        }
        assert!(compile(&"a".repeat(LENGTH + 1)).is_err());
        let error = compile("(").unwrap_err().to_string();
        assert!(!error.is_empty() && !error.contains('\n'), "{error:?}");
    }

    #[test]
    fn backtracking_ends() {
        let regex = compile(r"^(?:(a+)\1?)+b$").unwrap();
        let body = [&[b'a'; 5000][..], b"cb"].concat();
        assert!(regex.is_match(&body[..]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(pattern in "[\\\\(){}\\[\\]?*+|^$.,:<>=!#a-dgkx0-9 -]{0,24}") {
            if let Ok(regex) = compile(&pattern) {
                let _ = regex.is_match(&b"abc 012"[..]);
            }
        }
    }
}
