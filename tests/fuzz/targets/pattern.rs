//! Perl's patterns.

use lvs_ha::config::pattern::compile;

use crate::seeds;

/// A pattern, a line feed, a body.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = [
        "server 1[2-9] (OK|fine)$\nserver 12 OK\n",
        "(?i)welcome\n<h1>WELCOME</h1>",
        "^(?!.*error).*ok\nall ok",
        "(?<=id=)\\d+\nid=42",
        "(?<c>\\w)\\k<c>(?P<d>x)(?P=d)\\g{-1}\\g1\\1\nbookxx",
        "[[:alpha:]][^]]x[\\w-]+\\x{42}\\103\\t\\cA\\R\\h\\Z\nabc",
        "(?x) a b # c\nab",
        "(?>a+)b++c{2,3}?(?^i:ok)(?#note)\\N\\z\naabcc",
        "^(?:(a+)\\1?)+b$\naaaaaaaaaaaaaaaaaaaaac",
    ]
    .map(|s| s.as_bytes().to_vec())
    .to_vec();
    for file in seeds::files("ldirectord.cf") {
        let text = String::from_utf8_lossy(&file).into_owned();
        let values = text.lines().filter_map(|l| l.split_once("receive").and_then(|(_, v)| v.split_once('=')));
        all.extend(values.map(|(_, v)| format!("{}\nbody", v.trim().trim_matches('"')).into_bytes()));
    }
    all
}

/// It is an error of one line, or a pattern whose use ends.
pub fn pattern(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (pattern, body) = text.split_once('\n').unwrap_or((&text, ""));
    match compile(pattern) {
        Ok(regex) => {
            let first = regex.is_match(body.as_bytes()).ok();
            assert_eq!(first, regex.is_match(body.as_bytes()).ok());
        }
        Err(error) => {
            let said = error.to_string();
            assert!(!said.is_empty() && !said.contains('\n'), "{said:?}");
        }
    }
}
