//! `haresources`: one resource group a line, and the words of which a group is made.
//!
//! What a script does is not known here, but for the argument of the address scripts, which is read here because the file
//! defines it.

use std::net::Ipv4Addr;

use super::diag::{Diagnostic, Span, Spanned};
use super::ha_cf::{is_blank, words};
use super::settings::{Group, Resource};

/// The script of a bare address.
pub const ADDRESS_SCRIPT: &str = "IPaddr";

/// The lines of `haresources`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct File {
    /// One for each line that says something.
    pub groups: Vec<Line>,
}

/// A line: where a group likes to be, and its resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The preferred node, lower case.
    pub node: Spanned<String>,
    /// The resources in start order; may be empty.
    pub resources: Vec<Spanned<Resource>>,
}

impl Line {
    /// The group without its places.
    #[must_use]
    pub fn group(&self) -> Group {
        Group { node: self.node.value.clone(), resources: self.resources.iter().map(|r| r.value.clone()).collect() }
    }
}

/// Reads the file: any text is a list of groups, so that the only finding is a last line that is continued nowhere. A comment
/// ends the line even when a backslash ends the comment.
#[must_use]
pub fn parse(bytes: &[u8]) -> (File, Vec<Diagnostic>) {
    let mut file = File::default();
    let mut found = Vec::new();
    let mut pending: Vec<Spanned<String>> = Vec::new();
    let mut open: Option<Span> = None;
    let mut start = 0;
    for raw in bytes.split(|&b| b == b'\n') {
        let line = start;
        start += raw.len() + 1;
        let code = raw.iter().position(|&b| b == b'#').unwrap_or(raw.len());
        let text = raw.get(..code).unwrap_or_default();
        // A carriage return may stand behind the backslash.
        let solid = text.iter().rposition(|&b| b != b'\r').map_or(0, |i| i + 1);
        let continued = code == raw.len() && text.get(..solid).is_some_and(|t| t.ends_with(b"\\"));
        let end = if continued { solid - 1 } else { code };
        pending.extend(words(bytes, Span::new(line, line + end), is_blank));
        open = continued.then(|| Span::new(line + end, line + solid));
        if !continued {
            finish(&mut file, &mut pending);
        }
    }
    finish(&mut file, &mut pending);
    if let Some(span) = open {
        found.push(Diagnostic::warning(span, "The last line ends in a backslash").hint("nothing follows it"));
    }
    (file, found)
}

fn finish(file: &mut File, pending: &mut Vec<Spanned<String>>) {
    let mut fields = pending.drain(..);
    if let Some(node) = fields.next() {
        let node = Spanned::new(node.value.to_lowercase(), node.span);
        let resources = fields.map(|word| Spanned::new(resource(&word.value), word.span)).collect();
        file.groups.push(Line { node, resources });
    }
}

/// A resource word: `script::argument::argument`, or a bare address for [`ADDRESS_SCRIPT`]. A single colon does not separate.
#[must_use]
pub fn resource(word: &str) -> Resource {
    let (script, args) = if is_bare_address(word) {
        (ADDRESS_SCRIPT.to_owned(), vec![word.to_owned()])
    } else {
        let mut parts = word.split("::").map(str::to_owned);
        (parts.next().unwrap_or_default(), parts.collect())
    };
    Resource { word: word.to_owned(), script, args }
}

/// Whether the word starts like `N.N.N.N` and has no `::`.
fn is_bare_address(word: &str) -> bool {
    let mut parts = word.splitn(4, '.');
    let numbers = parts.by_ref().take(3).filter(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit())).count();
    let last = parts.next().and_then(|p| p.bytes().next());
    numbers == 3 && last.is_some_and(|b| b.is_ascii_digit()) && !word.contains("::")
}

/// The argument of `IPaddr` and `IPaddr2`: `ip[/mask[/interface[:label][/broadcast]]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressArg {
    /// The address.
    pub addr: Ipv4Addr,
    /// Length of the network prefix, 0 to 32.
    pub prefix: Option<u8>,
    /// The interface, without a label.
    pub interface: Option<String>,
    /// The whole label such as `eth0:0`.
    pub label: Option<String>,
    /// The broadcast address.
    pub broadcast: Option<Ipv4Addr>,
}

/// Why an argument is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressArgError {
    /// The first part.
    #[error("IP address [{0}] not valid.")]
    Address(String),
    /// The second part.
    #[error("[{0}] is no netmask: expected a prefix length such as 24 or a mask such as 255.255.255.0")]
    Mask(String),
    /// The part that names the interface.
    #[error("[{0}] is no interface name")]
    Interface(String),
    /// The part that is the broadcast address.
    #[error("[{0}] is no broadcast address")]
    Broadcast(String),
    /// More parts than there are meanings.
    #[error("[{0}] is too much: expected ip/mask/interface/broadcast")]
    Surplus(String),
}

impl AddressArg {
    /// Reads the argument. A part that is left out may be empty (`10.0.0.1//eth0`); a third part that starts with a digit is
    /// the broadcast address.
    ///
    /// # Errors
    /// The part that is not what it should be.
    pub fn parse(arg: &str) -> Result<Self, AddressArgError> {
        let mut parts = arg.split('/');
        let first = parts.next().unwrap_or_default();
        let addr = first.parse().map_err(|_| AddressArgError::Address(first.to_owned()))?;
        let mut out = Self { addr, prefix: None, interface: None, label: None, broadcast: None };
        if let Some(mask) = parts.next().filter(|m| !m.is_empty()) {
            out.prefix = Some(prefix(mask).ok_or_else(|| AddressArgError::Mask(mask.to_owned()))?);
        }
        let mut broadcast = None;
        if let Some(third) = parts.next().filter(|p| !p.is_empty()) {
            if third.starts_with(|c: char| c.is_ascii_digit()) {
                broadcast = Some(third);
            } else {
                out.interface(third)?;
            }
        }
        if broadcast.is_none() {
            broadcast = parts.next().filter(|p| !p.is_empty());
        }
        if let Some(text) = broadcast {
            out.broadcast = Some(text.parse().map_err(|_| AddressArgError::Broadcast(text.to_owned()))?);
        }
        match parts.find(|p| !p.is_empty()) {
            Some(more) => Err(AddressArgError::Surplus(more.to_owned())),
            None => Ok(out),
        }
    }

    fn interface(&mut self, text: &str) -> Result<(), AddressArgError> {
        let (name, label) = text.split_once(':').map_or((text, None), |(name, _)| (name, Some(text)));
        // Linux: IFNAMSIZ leaves 15 bytes for a name, and as many for a label.
        if name.is_empty() || text.len() > 15 || text.ends_with(':') || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(AddressArgError::Interface(text.to_owned()));
        }
        self.interface = Some(name.to_owned());
        self.label = label.map(str::to_owned);
        Ok(())
    }
}

/// A prefix length, or a dotted mask without holes.
fn prefix(mask: &str) -> Option<u8> {
    if let Ok(dotted) = mask.parse::<Ipv4Addr>() {
        let bits = u32::from(dotted);
        return (bits.leading_ones() == bits.count_ones()).then(|| u8::try_from(bits.count_ones()).ok()).flatten();
    }
    let plain = mask.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| mask.parse().ok()).flatten().filter(|n| *n <= 32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn groups(text: &str) -> Vec<Group> {
        let (file, found) = parse(text.as_bytes());
        assert!(found.is_empty(), "{found:?}");
        file.groups.iter().map(Line::group).collect()
    }

    fn split(word: &str) -> (String, Vec<String>) {
        let r = resource(word);
        (r.script, r.args)
    }

    #[test]
    fn words_are_split_as_the_resource_manager_splits_them() {
        let s = |script: &str, args: &[&str]| (script.to_owned(), args.iter().map(|a| (*a).to_owned()).collect());
        assert_eq!(split("httpd"), s("httpd", &[]));
        assert_eq!(split("10.0.0.60"), s("IPaddr", &["10.0.0.60"]));
        assert_eq!(split("10.0.0.60/24/eth0:0"), s("IPaddr", &["10.0.0.60/24/eth0:0"]));
        assert_eq!(split("IPaddr::10.0.0.60/24/eth0"), s("IPaddr", &["10.0.0.60/24/eth0"]));
        let nfs = "Filesystem::192.168.204.11:/data/nfs/www::/var/www/html::nfs";
        assert_eq!(split(nfs), s("Filesystem", &["192.168.204.11:/data/nfs/www", "/var/www/html", "nfs"]));
        assert_eq!(split("10.0.0"), s("10.0.0", &[]));
        assert_eq!(split("www.example.org"), s("www.example.org", &[]));
        assert_eq!(split("10.0.0.5::x"), s("10.0.0.5", &["x"]));
        assert_eq!(split("x::"), s("x", &[""]));
    }

    #[test]
    fn lines_are_joined_and_comments_cut() {
        let got = groups("# all\n  ALPHA\t10.9.9.9 \\\r\n   foo::x # why \\\n\nbeta # nothing\n#\nbeta a\\\n b\n");
        let shape: Vec<(&str, Vec<&str>)> =
            got.iter().map(|g| (g.node.as_str(), g.resources.iter().map(|r| r.word.as_str()).collect())).collect();
        assert_eq!(shape, [("alpha", vec!["10.9.9.9", "foo::x"]), ("beta", vec![]), ("beta", vec!["a", "b"])]);
        assert_eq!(got[0].key(), "10.9.9.9");
        assert!(groups("").is_empty());
    }

    #[test]
    fn a_dangling_backslash_is_told_and_the_line_kept() {
        let (file, found) = parse(b"alpha 10.9.9.9 \\");
        assert_eq!(file.groups.len(), 1);
        assert_eq!(found.len(), 1);
        assert!(!found[0].is_error());
    }

    #[test]
    fn places_point_at_the_words() {
        let text = b"a b\\\n  c::1\n";
        let (file, _) = parse(text);
        let c = &file.groups[0].resources[1];
        assert_eq!(&text[c.span.range()], b"c::1");
    }

    #[test]
    fn the_address_argument_has_four_parts() {
        let a = |arg: &str| AddressArg::parse(arg);
        let plain = AddressArg { addr: Ipv4Addr::new(10, 0, 0, 60), prefix: None, interface: None, label: None, broadcast: None };
        assert_eq!(a("10.0.0.60"), Ok(plain.clone()));
        assert_eq!(a("10.0.0.60/24"), Ok(AddressArg { prefix: Some(24), ..plain.clone() }));
        assert_eq!(a("10.0.0.60/255.255.255.0"), Ok(AddressArg { prefix: Some(24), ..plain.clone() }));
        let eth0 = AddressArg { prefix: Some(24), interface: Some("eth0".into()), ..plain.clone() };
        assert_eq!(a("10.0.0.60/24/eth0"), Ok(eth0.clone()));
        assert_eq!(a("10.0.0.60/24/eth0:0"), Ok(AddressArg { label: Some("eth0:0".into()), ..eth0.clone() }));
        let broadcast = Some(Ipv4Addr::new(10, 0, 0, 255));
        assert_eq!(a("10.0.0.60/24/eth0/10.0.0.255"), Ok(AddressArg { broadcast, ..eth0.clone() }));
        assert_eq!(a("10.0.0.60/24/10.0.0.255"), Ok(AddressArg { prefix: Some(24), broadcast, ..plain.clone() }));
        assert_eq!(a("10.0.0.60//eth0"), Ok(AddressArg { prefix: None, ..eth0 }));
    }

    #[test]
    fn the_address_argument_names_the_part_that_is_wrong() {
        use AddressArgError as E;
        for (arg, want) in [
            ("10.0.0.256", E::Address("10.0.0.256".into())),
            ("10.0.0.1/33", E::Mask("33".into())),
            ("10.0.0.1/255.0.255.0", E::Mask("255.0.255.0".into())),
            ("10.0.0.1/+8", E::Mask("+8".into())),
            ("10.0.0.1/24/eth0:", E::Interface("eth0:".into())),
            ("10.0.0.1/24/a-name-that-is-too-long", E::Interface("a-name-that-is-too-long".into())),
            ("10.0.0.1/24/eth0/x", E::Broadcast("x".into())),
            ("10.0.0.1/24/eth0/10.0.0.255/x", E::Surplus("x".into())),
        ] {
            assert_eq!(AddressArg::parse(arg), Err(want), "{arg}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_groups(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let (file, found) = parse(&bytes);
            prop_assert!(found.iter().all(|d| !d.is_error()));
            for line in &file.groups {
                for r in &line.resources {
                    prop_assert!(r.span.end <= bytes.len());
                    let _ = AddressArg::parse(&r.value.word);
                }
            }
        }

        #[test]
        fn the_word_is_its_parts(script in "[a-zA-Z][a-zA-Z0-9_]{0,8}", args in prop::collection::vec("[a-z0-9/.]{1,8}", 0..4)) {
            let word = std::iter::once(script.clone()).chain(args.clone()).collect::<Vec<_>>().join("::");
            let r = resource(&word);
            prop_assert_eq!((r.script, r.args, r.word), (script, args, word));
        }
    }
}
