//! The options of `heartbeat`, in the original's grammar: single letters, which may be joined.

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Args {
    /// What to do.
    pub action: Action,
    /// `-d`: each one more debug level.
    pub debug: u8,
    /// `-f`: stay in the foreground.
    pub foreground: bool,
    /// `-l`: no real-time priority.
    pub no_realtime: bool,
    /// `-v`: print the configuration.
    pub verbose: bool,
    /// `-R`, by which a heartbeat calls its next run.
    pub succeeds: bool,
}

/// See [`Args`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Action {
    /// Start.
    #[default]
    Start,
    /// `-s`: tell whether it runs.
    Status,
    /// `-k`: stop it.
    Stop,
    /// `-r`: let it read its files again, or start it.
    Reload,
    /// `-V`: the version.
    Version,
    /// `-D`: the defaults of `ha.cf`; `-DW` as a wiki table.
    Defaults {
        /// As a wiki table.
        wiki: bool,
    },
}

/// An argument that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No such option.
    #[error("invalid option -- '{0}'")]
    Option(char),
    /// An option of the original that this program does not have.
    #[error("option -{0} is not supported: {1}")]
    Unsupported(char, &'static str),
    /// Something that is no option.
    #[error("unexpected argument '{0}'")]
    Argument(String),
}

/// The usage text.
pub const USAGE: &str = "\
Usage: heartbeat [-dfklrsvDV]
   -d increment debugging level
   -f stay in the foreground
   -k stop the heartbeat that runs here, and wait until it has
   -l do not run with real-time priority and locked memory
   -r check the configuration, then let the running heartbeat read it again
   -s tell whether heartbeat runs here
   -v print the configuration at the start
   -D print the defaults of ha.cf
   -V print the version
";

/// Reads the arguments, without the command's name.
pub fn parse<'a>(args: impl IntoIterator<Item = &'a str>) -> Result<Args, Error> {
    let mut out = Args::default();
    for arg in args {
        let Some(letters) = arg.strip_prefix('-').filter(|l| !l.is_empty()) else {
            return Err(Error::Argument(arg.to_owned()));
        };
        for letter in letters.chars() {
            match letter {
                'd' => out.debug = out.debug.saturating_add(1),
                'f' => out.foreground = true,
                'k' => out.action = Action::Stop,
                'l' => out.no_realtime = true,
                'r' => out.action = Action::Reload,
                's' => out.action = Action::Status,
                'v' => out.verbose = true,
                'D' => out.action = Action::Defaults { wiki: false },
                'W' => out.action = Action::Defaults { wiki: true },
                'V' => out.action = Action::Version,
                'M' => return Err(Error::Unsupported('M', "a heartbeat without resources has an empty haresources file")),
                'R' => out.succeeds = true,
                'C' => return Err(Error::Unsupported(letter, "it is internal to the original's restart")),
                other => return Err(Error::Option(other)),
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_may_be_joined_or_apart() {
        assert_eq!(parse([]), Ok(Args::default()));
        let all = Args { debug: 2, foreground: true, no_realtime: true, ..Args::default() };
        assert_eq!(parse(["-dd", "-fl"]), Ok(all));
        assert_eq!(parse(["-DW"]).unwrap().action, Action::Defaults { wiki: true });
        for (arg, action) in [("-s", Action::Status), ("-k", Action::Stop), ("-r", Action::Reload), ("-V", Action::Version)] {
            assert_eq!(parse([arg]).unwrap().action, action);
        }
    }

    #[test]
    fn the_rest_is_refused_by_name() {
        assert_eq!(parse(["-x"]), Err(Error::Option('x')));
        assert_eq!(parse(["start"]), Err(Error::Argument("start".into())));
        assert_eq!(parse(["-"]), Err(Error::Argument("-".into())));
        assert!(matches!(parse(["-M"]), Err(Error::Unsupported('M', _))));
    }
}
