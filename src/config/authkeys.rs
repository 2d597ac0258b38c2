//! `authkeys`: the text to keys. Whether others may read the file is asked by `config::load`.

use super::diag::{Diagnostic, Span, Spanned};
use super::ha_cf::{is_blank, words};
use super::settings::{Key, Keys, Method};

/// The highest key number.
const HIGHEST: u8 = 15;

/// The lines of `authkeys`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct File {
    /// The number after `auth`; the last such line counts.
    pub active: Option<Spanned<u8>>,
    /// The keys, at most one of a number: the last.
    pub keys: Vec<Spanned<Key>>,
}

impl File {
    /// The keys, if the selected one is there.
    #[must_use]
    pub fn keys(&self) -> Option<Keys> {
        let keys = Keys { active: self.active.as_ref()?.value, keys: self.keys.iter().map(|k| k.value.clone()).collect() };
        keys.get(keys.active)?;
        Some(keys)
    }
}

/// Reads the file; `shown` is its path as messages print it. No message contains a key.
#[must_use]
pub fn parse(bytes: &[u8], shown: &str) -> (File, Vec<Diagnostic>) {
    let mut reader = Reader { file: File::default(), found: Vec::new(), shown, ahead: Vec::new() };
    let mut start = 0;
    for raw in bytes.split(|&b| b == b'\n') {
        let whole = Span::new(start, start + raw.len());
        start += raw.len() + 1;
        let fields = words(bytes, whole, is_blank);
        let Some(first) = fields.first() else { continue };
        match first.value.bytes().next() {
            Some(b'#') => {}
            Some(b'a') => reader.auth(&fields),
            _ => reader.key(bytes, &fields),
        }
    }
    reader.end();
    (reader.file, reader.found)
}

/// The file with its keys made unreadable, byte for byte, so that it can be shown: of a line only the number and the method
/// stay.
#[must_use]
pub fn masked(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let mut start = 0;
    for raw in bytes.split(|&b| b == b'\n') {
        let fields = words(bytes, Span::new(start, start + raw.len()), is_blank);
        start += raw.len() + 1;
        let is_auth = fields.first().is_some_and(|f| f.value == "auth");
        let numbered = fields.first().is_some_and(|f| f.value.trim_start_matches('#').bytes().all(|b| b.is_ascii_digit()));
        let shown = if is_auth || numbered { 2 } else { 1 };
        for field in fields.iter().skip(shown) {
            out.get_mut(field.span.range()).unwrap_or_default().fill(b'*');
        }
    }
    out
}

/// The model as it grows.
struct Reader<'a> {
    file: File,
    found: Vec<Diagnostic>,
    shown: &'a str,
    /// Keys that stood before any `auth` line selected them.
    ahead: Vec<Spanned<u8>>,
}

impl Reader<'_> {
    /// `auth N`; what follows is ignored.
    fn auth(&mut self, fields: &[Spanned<String>]) {
        let number = match fields {
            [word, number, ..] if word.value == "auth" => decimal(&number.value).map(|n| Spanned::new(n, number.span)),
            _ => None,
        };
        match number {
            Some(n) => match u8::try_from(n.value).ok().filter(|v| *v <= HIGHEST) {
                Some(v) => self.file.active = Some(Spanned::new(v, n.span)),
                None => self.found.push(self.bad_number(&n.value.to_string(), n.span)),
            },
            None => {
                let what = format!("Invalid auth line [{}] in {}", joined(fields), self.shown);
                let place = match fields {
                    [word, number, ..] if word.value == "auth" => number.span,
                    _ => around(fields),
                };
                self.found.push(Diagnostic::error(place, what).hint("expected `auth` and the number of a key"));
            }
        }
    }

    /// `N method [key]`; what follows is ignored.
    fn key(&mut self, bytes: &[u8], fields: &[Spanned<String>]) {
        let [number, method, rest @ ..] = fields else {
            return self.not_a_key(fields);
        };
        let Some(value) = number.value.parse::<i64>().ok() else {
            return self.not_a_key(fields);
        };
        let Some(value) = u8::try_from(value).ok().filter(|v| *v <= HIGHEST) else {
            let found = self.bad_number(&number.value, number.span);
            return self.found.push(found);
        };
        let method_kind = match method.value.as_str() {
            "crc" => Method::Crc,
            "md5" => Method::Md5,
            "sha1" => Method::Sha1,
            "hmac-sha256" => Method::Sha256,
            other => {
                let hint = "expected crc, md5, sha1, or hmac-sha256 where every node runs lvs-ha";
                let d = Diagnostic::error(method.span, format!("Invalid authtype [{other}]")).hint(hint);
                return self.found.push(d);
            }
        };
        let name = method_kind.name();
        let secret = match (method_kind, rest.first().filter(|r| !r.value.starts_with('#'))) {
            (Method::Crc, None) => Vec::new(),
            (Method::Crc, Some(extra)) => {
                // The original says this as information and then fails for want of the key.
                let d = Diagnostic::error(extra.span, format!("Auth method [{name}] doesn't use a key"));
                return self.found.push(d.hint("remove it, or use sha1"));
            }
            (_, None) => {
                let d = Diagnostic::error(around(fields), format!("Auth method [{name}] requires a key"));
                return self.found.push(d.hint(format!("expected `{value} {name} KEY`")));
            }
            (_, Some(word)) => bytes.get(word.span.range()).unwrap_or_default().to_vec(),
        };
        if self.file.active.as_ref().is_none_or(|a| a.value != value) {
            self.ahead.push(Spanned::new(value, number.span));
        } else {
            self.ahead.retain(|n| n.value != value);
        }
        self.file.keys.retain(|k| k.value.number != value);
        let key = Key { number: value, method: method_kind, secret };
        self.file.keys.push(Spanned::new(key, Span::new(number.span.start, method.span.end)));
    }

    /// What only the whole file tells.
    fn end(&mut self) {
        let Some(active) = &self.file.active else {
            if !self.found.iter().any(|d| d.what.starts_with("Invalid authnum")) {
                let what = format!("Missing auth directive in keyfile [{}]", self.shown);
                self.found
                    .push(Diagnostic::error(Span::default(), what).whole_file().hint("expected a line `auth N` above the keys"));
            }
            return;
        };
        let n = active.value;
        let not_found = format!("Auth Key [{n}] not found in keyfile [{}]", self.shown);
        let ahead = self.ahead.iter().find(|a| a.value == n);
        if let Some(place) = ahead {
            let d = Diagnostic::error(place.span, not_found).hint(format!("this line must come after `auth {n}`"));
            self.found.push(d);
        } else if !self.file.keys.iter().any(|k| k.value.number == n) {
            let d = Diagnostic::error(active.span, not_found).hint(format!("expected a line `{n} sha1 KEY` below"));
            self.found.push(d);
        }
    }

    fn not_a_key(&mut self, fields: &[Spanned<String>]) {
        // The first word alone: the line may hold a key behind a mistyped number.
        let shown = fields.first().map_or("", |f| f.value.as_str());
        let more = if fields.len() > 1 { " ..." } else { "" };
        let d = Diagnostic::error(around(fields), format!("Auth line [{shown}{more}] is invalid."));
        self.found.push(d.hint("expected a number from 0 to 15, crc, md5 or sha1, and the key"));
    }

    fn bad_number(&self, text: &str, span: Span) -> Diagnostic {
        Diagnostic::error(span, format!("Invalid authnum [{text}] in {}", self.shown)).hint("expected 0 to 15")
    }
}

/// A number as `auth` takes it, at most what fits.
fn decimal(word: &str) -> Option<u32> {
    super::ha_cf::plain_number(word)
}

fn around(fields: &[Spanned<String>]) -> Span {
    let start = fields.first().map_or(0, |f| f.span.start);
    Span::new(start, fields.get(1).or(fields.first()).map_or(start, |f| f.span.end))
}

fn joined(fields: &[Spanned<String>]) -> String {
    fields.iter().map(|f| f.value.as_str()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHOWN: &str = "/etc/ha.d//authkeys";

    fn errors(text: &str) -> Vec<String> {
        parse(text.as_bytes(), SHOWN).1.into_iter().map(|d| d.what).collect()
    }

    fn keys(text: &str) -> Keys {
        let (file, found) = parse(text.as_bytes(), SHOWN);
        assert!(found.is_empty(), "{found:?}");
        file.keys().unwrap()
    }

    #[test]
    fn the_texts_are_the_originals() {
        for (text, want) in [
            ("", "Missing auth directive in keyfile [/etc/ha.d//authkeys]"),
            ("1 crc\n", "Missing auth directive in keyfile [/etc/ha.d//authkeys]"),
            ("auth x\n1 crc\n", "Invalid auth line [auth x] in /etc/ha.d//authkeys"),
            ("auth\n1 crc\n", "Invalid auth line [auth] in /etc/ha.d//authkeys"),
            ("awful 1\n1 crc\n", "Invalid auth line [awful 1] in /etc/ha.d//authkeys"),
            ("auth 2\n1 crc\n", "Auth Key [2] not found in keyfile [/etc/ha.d//authkeys]"),
            ("1 crc\nauth 1\n", "Auth Key [1] not found in keyfile [/etc/ha.d//authkeys]"),
            ("auth 16\n16 crc\n", "Invalid authnum [16] in /etc/ha.d//authkeys"),
            ("auth 1\n16 crc\n1 crc\n", "Invalid authnum [16] in /etc/ha.d//authkeys"),
            ("auth 1\n-1 crc\n1 crc\n", "Invalid authnum [-1] in /etc/ha.d//authkeys"),
            ("auth 1\n1 sha256 x\n", "Invalid authtype [sha256]"),
            ("auth 1\n1 SHA1 x\n", "Invalid authtype [SHA1]"),
            ("auth 1\n1 sha1\n", "Auth method [sha1] requires a key"),
            ("auth 1\n1 crc foo\n", "Auth method [crc] doesn't use a key"),
            ("auth 1\nfoo bar\n1 crc\n", "Auth line [foo ...] is invalid."),
            ("auth 1\n1\n", "Auth line [1] is invalid."),
        ] {
            assert!(errors(text).iter().any(|e| e == want), "{text:?}: {:?}", errors(text));
            assert!(parse(text.as_bytes(), SHOWN).1.iter().any(Diagnostic::is_error));
        }
    }

    #[test]
    fn an_auth_line_without_a_number_is_marked_at_the_word() {
        let place = |text: &str| parse(text.as_bytes(), SHOWN).1.first().and_then(|d| d.span);
        assert_eq!(place("auth one\n"), Some(Span::new(5, 8)));
        assert_eq!(place("awful 1\n"), Some(Span::new(0, 7)));
    }

    #[test]
    fn every_error_is_told_at_once() {
        let found = errors("auth 1\nfoo bar\n17 crc\n2 sha1\n3 nope x\n1 crc\n");
        assert_eq!(found.len(), 4, "{found:?}");
    }

    #[test]
    fn no_message_has_a_key_in_it() {
        for text in ["auth 1\nx sha1 SECRET\n", "auth 1\n1 sha9 SECRET\n", "auth 1\n99 sha1 SECRET\n", "1 sha1 SECRET\nauth 1\n"]
        {
            let (file, found) = parse(text.as_bytes(), SHOWN);
            assert!(!format!("{file:?}{found:?}").contains("SECRET"), "{text:?}");
            for d in found {
                let end = d.span.unwrap_or_default().end;
                assert!(end <= text.find("SECRET").unwrap() || d.span.is_none(), "{text:?} {d:?}");
            }
        }
    }

    #[test]
    fn a_masked_file_keeps_its_places_and_loses_its_keys() {
        let text = b"auth 1\n#2 sha1 HI!\n1 sha1 SECRET more # x\nsha1 SECRET\n";
        assert_eq!(masked(text), b"auth 1\n#2 sha1 ***\n1 sha1 ****** **** * *\nsha1 ******\n");
    }

    #[test]
    fn files_of_all_ages_are_read() {
        let k = keys("  auth 1 # the first\r\n#2 sha1 HI!\n\n\t1 sha1 a#b rest # x\r\n3 md5 Hello!");
        assert_eq!(k.active, 1);
        assert_eq!(k.get(1).unwrap().secret, b"a#b");
        assert_eq!(k.get(3).unwrap(), &Key { number: 3, method: Method::Md5, secret: b"Hello!".to_vec() });
        assert_eq!(keys("auth 1\n1 md5 a\n1 sha1 b\n").get(1).unwrap().secret, b"b");
        assert_eq!(keys("auth 1\n1 crc\nauth 2\n2 crc\n").active, 2);
    }

    #[test]
    fn a_key_is_bytes_and_not_text() {
        let (file, found) = parse(b"auth 0\n0 sha1 \xff\xfe\n", SHOWN);
        assert!(found.is_empty(), "{found:?}");
        assert_eq!(file.keys().unwrap().get(0).unwrap().secret, [0xff, 0xfe]);
    }

    proptest! {
        #[test]
        fn any_bytes_give_findings_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let (file, found) = parse(&bytes, SHOWN);
            prop_assert!(file.keys().is_some() || found.iter().any(Diagnostic::is_error));
        }

        #[test]
        fn broken_lines_give_findings_and_no_panic(text in "([0-9a-c#\\- ]|auth|sha1|crc|\n){0,40}") {
            let (file, found) = parse(text.as_bytes(), SHOWN);
            prop_assert!(file.keys().is_some() || found.iter().any(Diagnostic::is_error));
        }
    }
}
