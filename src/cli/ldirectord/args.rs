//! The command line: `ldirectord [-d|--debug] [-h|-?|--help] [-v|--version] [--] [CONFIG] COMMAND`, and what the original does
//! not have, `ldirectord -t|--test [--strict] [--plan] [CONFIG]`.
//!
//! Options may be bundled, must stand before the first other word, and long names can't be abbreviated.

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invocation {
    /// Show the usage.
    Help,
    /// Show the version.
    Version,
    /// Act on an instance.
    Act(Act),
    /// Look for errors in a configuration.
    Test(Test),
}

/// A look at a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// The configuration as written; `None`: `ldirectord.cf`.
    pub config: Option<String>,
    /// Warnings are failures.
    pub strict: bool,
    /// Show what a reload would change.
    pub plan: bool,
}

/// An action on an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// Stay in the foreground, log to standard error.
    pub debug: bool,
    /// The configuration as written; `None`: `ldirectord.cf`.
    pub config: Option<String>,
    /// What to do.
    pub command: Command,
}

/// The commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Start, if it does not run.
    Start,
    /// Stop, if it runs.
    Stop,
    /// Stop and start.
    Restart,
    /// The same, if it runs.
    TryRestart,
    /// Read the configuration again.
    Reload,
    /// The same.
    ForceReload,
    /// Say whether it runs.
    Status,
}

impl Command {
    /// The word on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::TryRestart => "try-restart",
            Self::Reload => "reload",
            Self::ForceReload => "force-reload",
            Self::Status => "status",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        use Command::{ForceReload, Reload, Restart, Start, Status, Stop, TryRestart};
        [Start, Stop, Restart, TryRestart, Reload, ForceReload, Status].into_iter().find(|c| c.word() == word)
    }
}

/// Why a command line can't be understood: lines for standard error, after which the usage is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong(pub Vec<String>);

/// Reads the arguments after the command's own name.
pub fn parse(args: &[String]) -> Result<Invocation, Wrong> {
    let mut args = args.iter().map(String::as_str).peekable();
    let (mut debug, mut help, mut version, mut test, mut strict, mut plan) = (false, false, false, false, false, false);
    let mut unknown = Vec::new();
    while let Some(arg) = args.next_if(|a| a.starts_with('-') && *a != "-") {
        if arg == "--" {
            break;
        }
        if let Some(long) = arg.strip_prefix("--") {
            match long {
                "debug" => debug = true,
                "help" => help = true,
                "version" => version = true,
                "test" => test = true,
                "strict" => strict = true,
                "plan" => plan = true,
                other => unknown.push(format!("Unknown option: {other}")),
            }
            continue;
        }
        for letter in arg.chars().skip(1) {
            match letter {
                'd' => debug = true,
                'h' | '?' => help = true,
                'v' => version = true,
                't' => test = true,
                other => unknown.push(format!("Unknown option: {other}")),
            }
        }
    }
    if !unknown.is_empty() {
        return Err(Wrong(unknown));
    }
    if help {
        return Ok(Invocation::Help);
    }
    if version {
        return Ok(Invocation::Version);
    }
    if test {
        let config = args.next().map(str::to_owned);
        return if args.next().is_none() { Ok(Invocation::Test(Test { config, strict, plan })) } else { Err(Wrong(Vec::new())) };
    }
    // Without a test these mean nothing.
    if let Some(option) = [("strict", strict), ("plan", plan)].iter().find(|(_, given)| *given) {
        return Err(Wrong(vec![format!("--{} goes with --test", option.0)]));
    }
    let (config, word) = match (args.next(), args.next()) {
        (Some(config), Some(word)) => (Some(config.to_owned()), word),
        (Some(word), None) => (None, word),
        (None, _) => return Err(Wrong(Vec::new())),
    };
    let command = Command::from_word(word).ok_or(Wrong(Vec::new()))?;
    Ok(Invocation::Act(Act { debug, config, command }))
}

impl Act {
    /// The configuration that is looked for.
    #[must_use]
    pub fn config_name(&self) -> &str {
        config_name(self.config.as_deref())
    }

    /// The instance's name: that of its pid file. With one argument it is `ldirectord`; with two the configuration's base
    /// name, with its extension.
    #[must_use]
    pub fn instance(&self) -> &str {
        instance(self.config.as_deref())
    }
}

/// The configuration that is looked for, of the one that is written.
#[must_use]
pub fn config_name(config: Option<&str>) -> &str {
    config.unwrap_or("ldirectord.cf")
}

/// The name of the instance that uses the written configuration.
#[must_use]
pub fn instance(config: Option<&str>) -> &str {
    match config {
        None => "ldirectord",
        Some(path) => path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Result<Invocation, Wrong> {
        parse(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    fn act(text: &str) -> Act {
        match words(text) {
            Ok(Invocation::Act(act)) => act,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_and_two_arguments_are_different_instances() {
        let one = act("start");
        assert_eq!((one.command, one.config_name(), one.instance()), (Command::Start, "ldirectord.cf", "ldirectord"));
        let two = act("ldirectord.cf force-reload ignored");
        assert_eq!((two.command, two.config_name(), two.instance()), (Command::ForceReload, "ldirectord.cf", "ldirectord.cf"));
        assert_eq!(act("/srv/www.cf status").instance(), "www.cf");
    }

    #[test]
    fn options_stand_first_and_may_be_bundled() {
        assert!(act("-d x start").debug && act("--debug start").debug && !act("start").debug);
        assert!(!act("-- x start").debug);
        assert_eq!(words("-dv"), Ok(Invocation::Version));
        assert_eq!(words("-?"), Ok(Invocation::Help));
        assert_eq!(words("--help start"), Ok(Invocation::Help));
        assert_eq!(words("x start -v").map(|_| ()), Ok(()));
    }

    #[test]
    fn a_test_needs_no_command() {
        let test =
            |config: Option<&str>, strict, plan| Ok(Invocation::Test(Test { config: config.map(Into::into), strict, plan }));
        assert_eq!(words("-t"), test(None, false, false));
        assert_eq!(words("-t x.cf"), test(Some("x.cf"), false, false));
        assert_eq!(words("--strict --test --plan -- x.cf"), test(Some("x.cf"), true, true));
        assert_eq!(words("-t x.cf start"), Err(Wrong(vec![])));
        assert_eq!(words("--plan x.cf start"), Err(Wrong(vec!["--plan goes with --test".into()])));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        assert_eq!(words("-z start"), Err(Wrong(vec!["Unknown option: z".into()])));
        assert_eq!(words("--deb start"), Err(Wrong(vec!["Unknown option: deb".into()])));
        for text in ["", "go", "x go", "-d", "-- -z"] {
            assert_eq!(words(text), Err(Wrong(vec![])), "{text}");
        }
    }
}
