//! The one argument of `hb_standby` and `hb_takeover`, read as the original's scripts read it.

use std::ffi::OsString;

use crate::cluster::io::Set;

/// What is printed when the arguments are wrong: to standard output, then to standard error. The exit status is 1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    /// For standard output.
    pub(crate) out: String,
    /// For standard error.
    pub(crate) err: String,
}

/// The set to move. `failback` is what the word stands for; `args` begin with the command's name as it was called.
pub(crate) fn parse(args: &[OsString], failback: Set) -> Result<Set, Usage> {
    let name = args.first().map(|n| n.to_string_lossy()).unwrap_or_default();
    let usage = |first: Option<String>| Usage {
        out: first.map(|line| format!("{name}: {line}\n")).unwrap_or_default() + "usage:\n",
        err: format!("{name} [all|foreign|local|failback]\n"),
    };
    if args.len() > 2 {
        return Err(usage(Some("too many arguments".into())));
    }
    let Some(word) = args.get(1) else { return Ok(Set::All) };
    match word.to_str() {
        Some("all") => Ok(Set::All),
        Some("foreign") => Ok(Set::Foreign),
        Some("local") => Ok(Set::Local),
        Some("failback") => Ok(failback),
        Some("--help") => Err(usage(None)),
        _ => Err(usage(Some(format!("wrong resources({}).", word.to_string_lossy())))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Set, String> {
        let args: Vec<_> = std::iter::once(&"/usr/share/heartbeat/hb_standby").chain(words).map(OsString::from).collect();
        parse(&args, Set::Foreign).map_err(|u| u.out + "2> " + &u.err)
    }

    #[test]
    fn words_are_sets_and_none_means_all() {
        let sets = [parsed(&[]), parsed(&["all"]), parsed(&["local"]), parsed(&["foreign"]), parsed(&["failback"])];
        assert_eq!(sets, [Ok(Set::All), Ok(Set::All), Ok(Set::Local), Ok(Set::Foreign), Ok(Set::Foreign)]);
    }

    #[test]
    fn errors_have_the_originals_words() {
        let usage = "usage:\n2> /usr/share/heartbeat/hb_standby [all|foreign|local|failback]\n";
        assert_eq!(parsed(&["--help"]), Err(usage.to_owned()));
        assert_eq!(parsed(&["x"]), Err(format!("/usr/share/heartbeat/hb_standby: wrong resources(x).\n{usage}")));
        assert_eq!(parsed(&["-h"]), Err(format!("/usr/share/heartbeat/hb_standby: wrong resources(-h).\n{usage}")));
        assert_eq!(parsed(&["a", "b"]), Err(format!("/usr/share/heartbeat/hb_standby: too many arguments\n{usage}")));
    }
}
