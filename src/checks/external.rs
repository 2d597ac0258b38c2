//! A command of the administrator's: exit status 0 is up. No shell; its whole process group ends at the time limit. And a
//! file of Perl (`external-perl`), which is run as a function, in a process of its own each time.

use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, ChildStderr, Command};

use super::{Failure, trace};

/// Between the polite signal and the other.
const GRACE: Duration = Duration::from_secs(1);

/// Bytes kept of what a Perl file says about its failure.
const COMPLAINT: usize = 4096;
/// How long what it said is waited for once it has ended: what it left in the background may hold the other end.
const LAST_WORDS: Duration = Duration::from_millis(100);

pub(super) async fn ask(command: &str, args: &[String]) -> Result<String, Failure> {
    let mut words = Command::new(command);
    words.args(args).stderr(Stdio::null());
    trace::note(|| format!("running {command} {}", args.join(" ")));
    run(&mut words, "cannot run the command").await
}

/// The file is run as the original runs it: compiled into a function that has its arguments in `@_` and `@ARGV`, and whose
/// value does not count. `exit` ends it, also with 256; so does `die`.
pub(super) async fn perl(file: &str, args: &[String]) -> Result<String, Failure> {
    const FUNCTION: &str = r#"use strict;
        my $file = shift @ARGV;
        BEGIN { *CORE::GLOBAL::exit = sub (;$) { CORE::exit((@_ && defined $_[0] && $_[0] != 0) ? 1 : 0) } }
        open(my $in, '<', $file) or die "cannot open $file: $!\n";
        my $text = join '', <$in>;
        close $in;
        my $function = eval "sub { \@ARGV = \@_;\n#line 1 \"$file\"\n$text\n}" or die $@;
        my @words = @ARGV;
        $function->(@words);
        CORE::exit(0);"#;
    let mut words = Command::new("perl");
    words.arg("-e").arg(FUNCTION).arg(file).args(args).stderr(Stdio::piped());
    trace::note(|| format!("running {file} {} as a function of Perl", args.join(" ")));
    run(&mut words, "cannot run perl").await
}

async fn run(words: &mut Command, failed: &'static str) -> Result<String, Failure> {
    trace::doing("waiting for the command to end");
    let mut child = words.stdin(Stdio::null()).stdout(Stdio::null()).process_group(0).spawn().map_err(Failure::io(failed))?;
    let group = Group::of(&child);
    let mut complaint = Complaint { from: child.stderr.take(), said: Vec::new() };
    let status = loop {
        tokio::select! {
            status = child.wait() => break status.map_err(Failure::io("wait"))?,
            () = complaint.hear(), if complaint.from.is_some() => {}
        }
    };
    group.ended();
    let rest = async {
        while complaint.from.is_some() {
            complaint.hear().await
        }
    };
    let _ = tokio::time::timeout(LAST_WORDS, rest).await;
    // A signal is no success: the original looks at the exit byte only and takes it for one.
    if status.success() {
        return Ok("exit status: 0".into());
    }
    let why = String::from_utf8_lossy(&complaint.said);
    match why.lines().map(str::trim).find(|l| !l.is_empty()) {
        Some(line) => Err(Failure::Answer(format!("{status}: {line}"))),
        None => Err(Failure::Answer(status.to_string())),
    }
}

/// What a command says on standard error.
struct Complaint {
    from: Option<ChildStderr>,
    said: Vec<u8>,
}

impl Complaint {
    /// Takes what comes next; of too much only the beginning is kept, but all is read.
    async fn hear(&mut self) {
        let Some(from) = &mut self.from else { return };
        let mut chunk = [0; 1024];
        match from.read(&mut chunk).await {
            Ok(read) if read > 0 => {
                let room = COMPLAINT.saturating_sub(self.said.len()).min(read);
                self.said.extend_from_slice(chunk.get(..room).unwrap_or_default());
            }
            _ => self.from = None,
        }
    }
}

/// A process group that ends when the check does.
pub(super) struct Group(Option<Pid>);

impl Group {
    /// That of a child which leads one.
    pub(super) fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw))
    }

    /// The command has ended by itself; what it left in the background is its own affair.
    pub(super) fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let Some(group) = self.0 else { return };
        let _ = killpg(group, Signal::SIGTERM);
        tokio::spawn(async move {
            tokio::time::sleep(GRACE).await;
            let _ = killpg(group, Signal::SIGKILL);
        });
    }
}
