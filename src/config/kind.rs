//! Which of the four files something is: by its name, else by what stands in it.

use super::ldirectord_cf;

/// The kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `ha.cf`.
    HaCf,
    /// `authkeys`.
    Authkeys,
    /// `haresources`.
    Haresources,
    /// `ldirectord.cf`, under any name.
    Ldirectord,
}

impl Kind {
    /// The kind of a file with this base name, if the name says it.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        match name {
            "ha.cf" => Some(Self::HaCf),
            "authkeys" => Some(Self::Authkeys),
            "haresources" => Some(Self::Haresources),
            _ if name.starts_with("ldirectord") => Some(Self::Ldirectord),
            _ => None,
        }
    }

    /// The kind of a file with these contents: each line's first word votes, the most votes win. `None` when nothing is
    /// recognised.
    #[must_use]
    pub fn of_contents(bytes: &[u8]) -> Option<Self> {
        let mut votes = [(Self::Ldirectord, 0), (Self::HaCf, 0), (Self::Authkeys, 0), (Self::Haresources, 0)];
        let text = String::from_utf8_lossy(bytes);
        for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
            let kind = of_line(line);
            votes.iter_mut().filter(|(k, _)| Some(*k) == kind).for_each(|(_, n)| *n += 1);
        }
        // Of equals the first, so that one directive outweighs one line of anything.
        votes.into_iter().rev().max_by_key(|(_, n)| *n).filter(|(_, n)| *n > 0).map(|(kind, _)| kind)
    }
}

fn of_line(line: &str) -> Option<Kind> {
    /// Directives that only `ha.cf` has, or has without an equals sign.
    const HA_CF: [&str; 22] = [
        "apiauth",
        "auto_failback",
        "autojoin",
        "bcast",
        "baud",
        "compression",
        "crm",
        "deadping",
        "deadtime",
        "debugfile",
        "initdead",
        "keepalive",
        "logfacility",
        "logfile",
        "mcast",
        "node",
        "ping",
        "respawn",
        "serial",
        "ucast",
        "udpport",
        "warntime",
    ];
    let word = line.split(|c: char| c.is_whitespace() || c == '=').next().unwrap_or_default();
    let rest = line.get(word.len()..).unwrap_or_default().trim_start();
    let number = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    if rest.starts_with('=') && ldirectord_cf::is_directive(word) {
        Some(Kind::Ldirectord)
    } else if word == "auth" || (number && ["crc", "md5", "sha1"].iter().any(|m| rest.starts_with(m))) {
        Some(Kind::Authkeys)
    } else if HA_CF.contains(&word) && !rest.is_empty() {
        Some(Kind::HaCf)
    } else if !rest.is_empty() && (rest.contains("::") || rest.starts_with(|c: char| c.is_ascii_digit())) {
        Some(Kind::Haresources)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_more_than_contents() {
        assert_eq!(Kind::of_name("ha.cf"), Some(Kind::HaCf));
        assert_eq!(Kind::of_name("ldirectord-www.cf"), Some(Kind::Ldirectord));
        assert_eq!(Kind::of_name("www.cf"), None);
    }

    #[test]
    fn contents_are_recognised_with_their_mistakes() {
        let kinds: [(&[u8], Option<Kind>); 7] = [
            (b"# c\ncheckinterval = 1\nvirtual=10.0.0.1\n\treal=10.0.0.2:80 gate\n", Some(Kind::Ldirectord)),
            (b"logfile /var/log/ha-log\nkeepalive 2\nnode a b\n", Some(Kind::HaCf)),
            (b"auth 1\n1 md5 secret\n", Some(Kind::Authkeys)),
            (b"node1 IPaddr::10.0.0.60 httpd\n", Some(Kind::Haresources)),
            (b"node1 10.0.0.60 httpd\n", Some(Kind::Haresources)),
            (b"Dear reader,\nthis is a letter.\n", None),
            (b"", None),
        ];
        for (bytes, kind) in kinds {
            assert_eq!(Kind::of_contents(bytes), kind, "{}", String::from_utf8_lossy(bytes));
        }
    }
}
