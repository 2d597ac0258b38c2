//! What two nodes need to know of each other's files to see that they differ: a short digest of each. Pure.
//!
//! `ha.cf` differs between nodes that are well configured, by the addresses of their links: only what all nodes must agree
//! on is counted. The digest of `authkeys` is made with the key in use, so that it tells nothing to those who do not have it.

use std::collections::BTreeMap;
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The files, in the order in which differences are told.
pub const FILES: [&str; 4] = ["ha.cf", "haresources", "authkeys", "ldirectord.cf"];
/// The file whose digest needs the key.
const SECRET: &str = "authkeys";
/// Of a digest, in hexadecimal digits: enough to tell an edited file from the one before.
const DIGITS: usize = 8;
/// What `ha.cf` must say on every node.
const AGREED: [&str; 16] = [
    "node",
    "auto_failback",
    "nice_failback",
    "keepalive",
    "deadtime",
    "initdead",
    "deadping",
    "udpport",
    "ping",
    "ping6",
    "ping_group",
    "stonith_host",
    "autojoin",
    "crm",
    "pacemaker",
    "cluster",
];

/// A digest for each file that is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Digests(BTreeMap<String, String>);

impl Digests {
    /// Of the files' contents by name; `key` is the text of the key in use.
    #[must_use]
    pub fn of(files: &BTreeMap<&str, Vec<u8>>, key: &[u8]) -> Self {
        let digest = |(name, content): (&&str, &Vec<u8>)| {
            let sum = match *name {
                "ha.cf" => sum(&[], agreed(content).as_bytes()),
                SECRET => sum(key, content),
                _ => sum(&[], content),
            };
            ((*name).to_owned(), sum)
        };
        Self(files.iter().map(digest).collect())
    }

    /// Reads what [`Display`](fmt::Display) has written; what is not understood is left out, so that a later version may say more.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let known = |word: &str| {
            word.split_once('=')
                .filter(|(name, d)| FILES.contains(name) && d.len() == DIGITS)
                .map(|(n, d)| (n.to_owned(), d.to_owned()))
        };
        Self(text.split(' ').filter_map(known).collect())
    }

    /// The files that differ. Nothing is known of a node that says nothing.
    #[must_use]
    pub fn differing(&self, other: &Self) -> Vec<String> {
        if self.0.is_empty() || other.0.is_empty() {
            return Vec::new();
        }
        FILES.iter().filter(|f| self.0.get(**f) != other.0.get(**f)).map(|f| (*f).to_owned()).collect()
    }
}

impl fmt::Display for Digests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.0.iter().map(|(name, digest)| format!("{name}={digest}")).collect();
        f.write_str(&words.join(" "))
    }
}

/// The words of the directives that count, one line each.
fn agreed(ha_cf: &[u8]) -> String {
    let text = String::from_utf8_lossy(ha_cf);
    let words = |line: &str| {
        let line = line.split('#').next().unwrap_or_default();
        line.split(|c: char| c.is_ascii_whitespace() || c == ',').filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ")
    };
    let counts = |line: &String| AGREED.iter().any(|d| line.split(' ').next() == Some(d));
    text.lines().map(words).filter(counts).map(|line| line + "\n").collect()
}

fn sum(key: &[u8], content: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(content);
    let hex: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
    hex.chars().take(DIGITS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(ha_cf: &str, haresources: &str, key: &[u8]) -> Digests {
        let files = [("ha.cf", ha_cf), ("haresources", haresources), ("authkeys", "auth 1\n1 crc\n")];
        Digests::of(&files.map(|(n, c)| (n, c.as_bytes().to_vec())).into(), key)
    }

    #[test]
    fn links_and_comments_of_ha_cf_do_not_count() {
        let alpha = digests("# alpha\nucast eth0 10.0.0.2\nnode alpha beta\ndeadtime 10\n", "alpha 10.0.0.9\n", b"k");
        let beta = digests("ucast eth0 10.0.0.1\n node\talpha,beta # both\ndeadtime 10\nlogfile /x\n", "alpha 10.0.0.9\n", b"k");
        assert_eq!(alpha.differing(&beta), Vec::<String>::new());
        let other = digests("ucast eth0 10.0.0.1\nnode beta alpha\ndeadtime 10\n", "alpha 10.0.0.8\n", b"k");
        assert_eq!(alpha.differing(&other), ["ha.cf", "haresources"]);
    }

    #[test]
    fn a_missing_file_is_a_difference_and_silence_is_not() {
        let alpha = digests("node a\n", "", b"k");
        let beta = Digests::parse(&alpha.to_string().replace("haresources", "nothing"));
        assert_eq!(alpha.differing(&beta), ["haresources"]);
        assert_eq!(alpha.differing(&Digests::parse("1")), Vec::<String>::new());
        assert_eq!(Digests::parse(&alpha.to_string()), alpha);
    }

    #[test]
    fn keys_are_told_from_each_other_only_by_who_has_one() {
        let [one, other] = [b"one", b"two"].map(|key| digests("node a\n", "", key));
        assert_eq!(one.differing(&other), ["authkeys"]);
        assert!(one.to_string().split(' ').all(|word| word.split('=').nth(1).is_some_and(|d| d.len() == 8)), "{one}");
    }
}
