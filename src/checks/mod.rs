//! Health checks: one question to one real server, one verdict.
//!
//! `spec` says what is asked and what came back, as serialisable values, so that checks can move into an unprivileged
//! process; [`run`] asks, [`run_traced`] shows each step too. One file a kind of check. A check never counts failures and
//! never knows IPVS exists.

mod agent;
pub mod answer;
mod connect;
mod datagram;
pub mod dns;
mod external;
mod ftp;
mod http;
mod imap;
mod ldap;
mod line;
mod mysql;
mod nntp;
pub mod ping;
mod pop;
pub mod radius;
mod simpletcp;
mod sip;
mod smtp;
pub mod spec;
mod sql;
mod tls;
pub mod trace;

use std::fmt;
use std::io;
use std::time::Duration;

use crate::config::pattern;
use spec::{Kind, Spec, Verdict};
use trace::{Recorder, Step};

/// Runs a check to its verdict, within the time limit of the spec (for pings: that many times the attempts). Checks run
/// side by side; a check that panics is a verdict of its own. Needs a multi-purpose tokio runtime.
pub async fn run(spec: &Spec) -> Verdict {
    judge_spec(spec, Recorder::new(false)).await
}

/// The same, and what it did: the steps that came to their end, in their order, also when the time ran out. Passwords are not
/// in them; of long answers only the beginning is.
pub async fn run_traced(spec: &Spec) -> (Verdict, Vec<Step>) {
    let recorder = Recorder::new(true);
    let verdict = judge_spec(spec, recorder.clone()).await;
    (verdict, recorder.steps())
}

async fn judge_spec(spec: &Spec, recorder: Recorder) -> Verdict {
    let spec = match &spec.kind {
        Kind::Combined { negotiate, .. } => negotiate,
        _ => spec,
    };
    let limit = match spec.kind {
        Kind::Ping { attempts } => spec.timeout.saturating_mul(attempts.max(1)),
        _ => spec.timeout,
    };
    let verdict = judge(limit, recorder, ask(spec.clone())).await;
    tracing::debug!(addr = %spec.addr, port = spec.port, kind = ?spec.kind, up = verdict.up, text = verdict.text, took = ?verdict.took, "check");
    verdict
}

/// Runs the question in a task of its own, so that its panic is its own too. At the limit, and when the caller goes, the task
/// ends and with it all it holds.
async fn judge(
    limit: Duration,
    recorder: Recorder,
    question: impl Future<Output = Result<String, Failure>> + Send + 'static,
) -> Verdict {
    let mut task = Ending(tokio::spawn(recorder.clone().record(question)));
    let (up, text) = match tokio::time::timeout(limit, &mut task.0).await {
        Ok(Ok(Ok(text))) => (true, text),
        Ok(Ok(Err(failure))) => (false, failure.to_string()),
        Ok(Err(error)) => (false, format!("the check itself failed: {error}")),
        Err(_) => (false, format!("no answer within {} s ({})", limit.as_secs_f64(), recorder.stage())),
    };
    Verdict { up, text, took: recorder.elapsed(), warning: recorder.warning() }
}

/// A task that ends when nobody waits for it any more.
struct Ending<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for Ending<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn ask(spec: Spec) -> Result<String, Failure> {
    match &spec.kind {
        Kind::On => Ok("not checked".into()),
        Kind::Agent => agent::ask(spec.addr, spec.port).await,
        Kind::Connect => connect::ask(spec.addr, spec.port).await,
        Kind::Ping { .. } => ping::ask(spec.addr, spec.timeout).await,
        Kind::Http(question) => http::ask(spec.addr, spec.port, question).await,
        Kind::External { command, args } => external::ask(command, args).await,
        Kind::ExternalPerl { file, args } => external::perl(file, args).await,
        Kind::Combined { negotiate, .. } => Box::pin(ask((**negotiate).clone())).await,
        Kind::Smtp => smtp::ask(spec.addr, spec.port).await,
        Kind::Pop(question) => pop::ask(spec.addr, spec.port, question).await,
        Kind::Imap(question) => imap::ask(spec.addr, spec.port, question).await,
        Kind::Nntp => nntp::ask(spec.addr, spec.port).await,
        Kind::Ftp(question) => ftp::ask(spec.addr, spec.port, question).await,
        Kind::SimpleTcp(question) => simpletcp::ask(spec.addr, spec.port, question).await,
        Kind::Dns(question) => dns::ask(spec.addr, spec.port, question).await,
        Kind::Ldap(question) => ldap::ask(spec.addr, spec.port, question).await,
        Kind::Sql(question) => sql::ask(spec.addr, spec.port, question, spec.timeout).await,
        Kind::Sip(question) => sip::ask(spec.addr, spec.port, question).await,
        Kind::Radius(question) => radius::ask(spec.addr, spec.port, question).await,
    }
}

/// Whether a pattern of the file is in some bytes.
fn matches(pattern: &str, bytes: &[u8]) -> Result<bool, Failure> {
    let failed = |e: &dyn fmt::Display| Failure::Answer(format!("receive /{pattern}/: {e}"));
    let regex = pattern::compile(pattern).map_err(|e| failed(&e))?;
    regex.is_match(bytes).map_err(|e| failed(&e))
}

/// What this host calls itself in a protocol.
fn hostname() -> String {
    nix::unistd::gethostname().ok().and_then(|n| n.into_string().ok()).unwrap_or_else(|| "localhost".to_owned())
}

/// Numbers that nobody can guess.
fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    let random = rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes);
    random.map_err(|_| Failure::Answer("no random numbers".into()))?;
    Ok(bytes)
}

/// Why a check says down.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The network or the operating system.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What happened.
        source: io::Error,
    },
    /// The HTTP exchange.
    #[error("{}", Cause(.0))]
    Http(#[from] reqwest::Error),
    /// The answer is not the one that was asked for.
    #[error("{0}")]
    Answer(String),
}

impl Failure {
    /// For `map_err`.
    fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            // What the TLS library says of it is long and tells of itself.
            io::ErrorKind::UnexpectedEof => {
                Self::Io { what, source: io::Error::new(source.kind(), "the server closed the connection") }
            }
            _ => Self::Io { what, source },
        }
    }
}

/// The causes of an error, without the outer layers that say no more than that a request has failed.
struct Cause<'a>(&'a reqwest::Error);

impl fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut causes = vec![self.0.to_string()];
        let mut next = std::error::Error::source(self.0);
        while let Some(error) = next {
            causes.push(error.to_string());
            next = error.source();
        }
        let layer = |text: &str| text.starts_with("error sending request") || text.starts_with("client error (");
        let first = causes.iter().position(|c| !layer(c)).unwrap_or(0);
        f.write_str(&causes.get(first..).unwrap_or_default().join(": "))
    }
}

#[cfg(test)]
mod service_tests;
#[cfg(test)]
mod tests;
