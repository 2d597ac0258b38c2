//! Health checks: one question to one real server, one verdict.
//!
//! `spec` says what is asked and what came back, as serialisable values, so that checks can move into an unprivileged
//! process; [`run`] asks. One file a kind of check. A check never counts failures and never knows IPVS exists.

mod agent;
mod connect;
mod external;
mod http;
pub mod ping;
pub mod spec;

use std::fmt;
use std::io;
use std::time::Duration;

use tokio::time::Instant;

use spec::{Kind, Spec, Verdict};

/// Runs a check to its verdict, within the time limit of the spec (for pings: that many times the attempts). Checks run
/// side by side; a check that panics is a verdict of its own. Needs a multi-purpose tokio runtime.
pub async fn run(spec: &Spec) -> Verdict {
    let limit = match spec.kind {
        Kind::Ping { attempts } => spec.timeout.saturating_mul(attempts.max(1)),
        _ => spec.timeout,
    };
    let verdict = judge(limit, ask(spec.clone())).await;
    tracing::debug!(addr = %spec.addr, port = spec.port, kind = ?spec.kind, up = verdict.up, text = verdict.text, took = ?verdict.took, "check");
    verdict
}

/// Runs the question in a task of its own, so that its panic is its own too.
async fn judge(limit: Duration, question: impl Future<Output = Result<String, Failure>> + Send + 'static) -> Verdict {
    let started = Instant::now();
    let task = tokio::spawn(question);
    let abort = task.abort_handle();
    let (up, text) = match tokio::time::timeout(limit, task).await {
        Ok(Ok(Ok(text))) => (true, text),
        Ok(Ok(Err(failure))) => (false, failure.to_string()),
        Ok(Err(error)) => (false, format!("the check itself failed: {error}")),
        Err(_) => {
            abort.abort();
            (false, format!("no answer within {} s", limit.as_secs_f64()))
        }
    };
    Verdict { up, text, took: started.elapsed() }
}

async fn ask(spec: Spec) -> Result<String, Failure> {
    match &spec.kind {
        Kind::On => Ok("not checked".into()),
        Kind::Agent => agent::ask(spec.addr, spec.port).await,
        Kind::Connect => connect::ask(spec.addr, spec.port).await,
        Kind::Ping { .. } => ping::ask(spec.addr, spec.timeout).await,
        Kind::Http(question) => http::ask(spec.addr, spec.port, question).await,
        Kind::External { command, args } => external::ask(command, args).await,
    }
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
        move |source| Self::Io { what, source }
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
mod tests;
