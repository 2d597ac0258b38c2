//! `/etc/default/ipvsadm`: the shell variables that Debian's init script of ipvsadm reads. Variables alone: it is not run.

use std::fmt;

use crate::ipvs::model::SyncRole;

/// What the file says, with the script's defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// `AUTO`: the saved rules are loaded at boot.
    pub auto: bool,
    /// `DAEMON`: the daemons to start.
    pub roles: Vec<SyncRole>,
    /// `IFACE`: their interface.
    pub interface: String,
    /// `SYNCID`: their number, 0 to 255.
    pub sync_id: u32,
}

impl Default for Defaults {
    fn default() -> Self {
        Self { auto: false, roles: Vec::new(), interface: "eth0".to_owned(), sync_id: 0 }
    }
}

/// A line that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineError {
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub text: String,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.text)
    }
}

/// Reads the file. `Err`: every line that cannot be used. Variables of other names are somebody else's.
pub fn parse(text: &str) -> Result<Defaults, Vec<LineError>> {
    let mut out = Defaults::default();
    let mut errors = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Err(text) = take(&mut out, line) {
            errors.push(LineError { line: number + 1, text });
        }
    }
    if errors.is_empty() { Ok(out) } else { Err(errors) }
}

fn take(out: &mut Defaults, line: &str) -> Result<(), String> {
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    let (name, rest) = line.split_once('=').ok_or_else(|| format!("found {line:?}, expected NAME=value"))?;
    if !["AUTO", "DAEMON", "IFACE", "SYNCID"].contains(&name) {
        return Ok(());
    }
    let value =
        value(rest).ok_or_else(|| format!("{name}: found {rest:?}, expected a value without anything for the shell to do"))?;
    match name {
        // The script compares with exactly this.
        "AUTO" => out.auto = value == "true",
        "DAEMON" => {
            out.roles = match value {
                "master" => vec![SyncRole::Master],
                "backup" => vec![SyncRole::Backup],
                "both" => vec![SyncRole::Master, SyncRole::Backup],
                "none" | "" => Vec::new(),
                other => return Err(format!("DAEMON: found {other:?}, expected none, master, backup or both")),
            };
        }
        "IFACE" if value.is_empty() || value.len() > 15 => {
            return Err(format!("IFACE: found {value:?}, expected the name of an interface"));
        }
        "IFACE" => out.interface = value.to_owned(),
        _ => {
            let number = value.parse().ok().filter(|n| *n <= 255);
            out.sync_id = number.ok_or_else(|| format!("SYNCID: found {value:?}, expected a number from 0 to 255"))?;
        }
    }
    Ok(())
}

/// The value of an assignment: a word, or text in quotes, with at most a comment behind it.
fn value(rest: &str) -> Option<&str> {
    let (value, behind) = match rest.chars().next() {
        Some(quote @ ('"' | '\'')) => rest.get(1..)?.split_once(quote)?,
        _ => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
    };
    let behind = behind.trim_start();
    let plain = !value.contains(['$', '`', '\\', '"', '\'', ';', '&', '|', '<', '>', '(', ')']);
    (plain && (behind.is_empty() || behind.starts_with('#'))).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Debian's package has it, edited the way its comments ask for.
    const FILE: &str = "# ipvsadm\n\n# if you want to start ipvsadm on boot set this to true\nAUTO=\"true\"\n\n\
        # daemon method (none|master|backup)\nDAEMON=both\n\n# use interface (eth0,eth1...)\nIFACE=\"eth1\"\t\n\n\
        SYNCID='7' # of this pair\nOTHER=$(date)\n";

    #[test]
    fn debians_file() {
        let roles = vec![SyncRole::Master, SyncRole::Backup];
        let expected = Defaults { auto: true, roles, interface: "eth1".to_owned(), sync_id: 7 };
        assert_eq!(parse(FILE), Ok(expected));
        let stock = "AUTO=\"false\"\nDAEMON=\"none\"\nIFACE=\"eth0\"\t\n# SYNCID=\"0\"\n";
        assert_eq!(parse(stock), Ok(Defaults::default()));
    }

    #[test]
    fn lines_that_cannot_be_used_are_named() {
        let errors = parse("AUTO=true\nDAEMON=slave\nIFACE=$DEV\nSYNCID=300\nmodprobe ip_vs\n").unwrap_err();
        let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "line 2: DAEMON: found \"slave\", expected none, master, backup or both",
                "line 3: IFACE: found \"$DEV\", expected a value without anything for the shell to do",
                "line 4: SYNCID: found \"300\", expected a number from 0 to 255",
                "line 5: found \"modprobe ip_vs\", expected NAME=value",
            ]
        );
    }
}
