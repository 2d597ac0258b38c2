//! What a check did, step by step, for whoever asks (`lvs-ha probe`); and what it is doing now, for the verdict at its limit.
//!
//! Checks call [`doing`], [`note`], [`sent`] and [`received`] wherever they are: the record goes with the task. Without a
//! recorder only the stage is kept. What is secret is replaced before it gets here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// Bytes kept of one step.
const BYTES: usize = 4096;
/// Steps kept of one check.
const STEPS: usize = 256;

/// One step of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When it ended, from the start of the check.
    pub at: Duration,
    /// What it was.
    pub event: Event,
}

/// What happened in a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Something was done or found: `connected to 10.0.0.2:25`.
    Note(String),
    /// Bytes went out.
    Sent {
        /// The first of them; passwords are replaced by `***`.
        bytes: Vec<u8>,
        /// How many there were.
        total: usize,
    },
    /// Bytes came in.
    Received {
        /// The first of them.
        bytes: Vec<u8>,
        /// How many there were.
        total: usize,
    },
}

/// The record of one check.
#[derive(Debug, Clone)]
pub(super) struct Recorder {
    started: Instant,
    steps: Option<Arc<Mutex<Vec<Step>>>>,
    stage: Arc<Mutex<&'static str>>,
    warning: Arc<Mutex<Option<String>>>,
}

tokio::task_local! {
    static RECORDER: Recorder;
}

impl Recorder {
    /// `steps`: keep them.
    pub(super) fn new(steps: bool) -> Self {
        Self {
            started: Instant::now(),
            steps: steps.then(Arc::default),
            stage: Arc::new(Mutex::new("start")),
            warning: Arc::default(),
        }
    }

    /// That of the check that is running; outside of one, one that keeps nothing.
    pub(super) fn current() -> Self {
        RECORDER.try_with(Self::clone).unwrap_or_else(|_| Self::new(false))
    }

    /// Runs a check with this record.
    pub(super) async fn record<T>(self, check: impl Future<Output = T>) -> T {
        RECORDER.scope(self, check).await
    }

    /// How long ago the check began.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// What the check was last doing.
    pub(super) fn stage(&self) -> &'static str {
        *lock(&self.stage)
    }

    /// What is to be said whatever the verdict.
    pub(super) fn warning(&self) -> Option<String> {
        lock(&self.warning).clone()
    }

    /// The steps so far, in their order.
    pub(super) fn steps(&self) -> Vec<Step> {
        self.steps.as_ref().map(|s| lock(s).clone()).unwrap_or_default()
    }

    fn push(&self, event: impl FnOnce() -> Event) {
        let Some(steps) = &self.steps else { return };
        let mut steps = lock(steps);
        if steps.len() < STEPS {
            steps.push(Step { at: self.started.elapsed(), event: event() });
        }
    }
}

/// A record is whole after every change of it, even when the holder has panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The check begins to do this: a verb, as it will stand in the verdict if the time runs out.
pub(super) fn doing(stage: &'static str) {
    let _ = RECORDER.try_with(|r| *lock(&r.stage) = stage);
}

/// Something was done or found.
pub(super) fn note(text: impl FnOnce() -> String) {
    let _ = RECORDER.try_with(|r| r.push(|| Event::Note(text())));
}

/// To be said with the verdict, whatever it will be.
pub(super) fn warn(text: String) {
    let _ = RECORDER.try_with(|r| *lock(&r.warning) = Some(text));
}

/// Bytes went out.
pub(super) fn sent(bytes: &[u8]) {
    let _ = RECORDER.try_with(|r| r.push(|| Event::Sent { bytes: head(bytes), total: bytes.len() }));
}

/// Bytes came in.
pub(super) fn received(bytes: &[u8]) {
    let _ = RECORDER.try_with(|r| r.push(|| Event::Received { bytes: head(bytes), total: bytes.len() }));
}

fn head(bytes: &[u8]) -> Vec<u8> {
    bytes.get(..BYTES).unwrap_or(bytes).to_vec()
}
