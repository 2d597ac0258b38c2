//! Log files and syslog: formats of the originals, writers that never block the one who logs.
//!
//! A [`Log`] hands each line to one writer thread over a bounded channel. A full channel drops the line and counts it; the
//! writer tells the number as soon as it can write again.

pub mod file;
pub mod heartbeat;
pub mod ldirectord;
pub mod syslog;
pub mod trace;

use std::io;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::cluster::io::Level;

/// Lines that wait for the writer at most. At a hundred bytes each that is some hundred kilobytes.
const CAPACITY: usize = 2048;
/// Lines that are written at once.
const BATCH: usize = 256;
/// The writer's stack: it formats lines and writes them.
const STACK: usize = 256 * 1024;
/// Between two looks of [`Log::flush`] at a full channel.
const FLUSH_STEP: Duration = Duration::from_millis(5);

/// Something to log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it was said.
    pub time: Timestamp,
    /// How grave.
    pub level: Level,
    /// One line, without control characters.
    pub text: String,
}

/// A place for lines. Called by the writer thread only, which it may block.
pub trait Sink: Send {
    /// Writes some lines.
    ///
    /// # Errors
    /// Some of them could not be written: they are counted as lost.
    fn write(&mut self, entries: &[Entry]) -> io::Result<()>;
    /// Its name in messages.
    fn name(&self) -> String;
    /// How grave it is when it does not work.
    fn gravity(&self) -> Level {
        Level::Error
    }
}

/// The way to the log: cheap to clone, to be used from any thread.
#[derive(Debug, Clone)]
pub struct Log {
    sender: SyncSender<Message>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Lines that no sink got: the channel was full.
    dropped: AtomicU64,
    /// Lines that a sink could not write.
    failed: AtomicU64,
    /// Debug lines are logged above zero.
    debug: AtomicU8,
    /// Why a sink fails now, for the status.
    trouble: Mutex<Option<String>>,
}

enum Message {
    Entry(Entry),
    Flush(SyncSender<()>),
}

impl Log {
    /// Starts the writer thread over the sinks; debug lines pass if `debug` is above zero.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(sinks: Vec<Box<dyn Sink>>, debug: u8) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(CAPACITY);
        let shared = Arc::new(Shared {
            dropped: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            debug: AtomicU8::new(debug),
            trouble: Mutex::new(None),
        });
        let writer =
            Writer { sinks: sinks.into_iter().map(|sink| (sink, false)).collect(), shared: Arc::clone(&shared), told: 0 };
        std::thread::Builder::new().name("log".into()).stack_size(STACK).spawn(move || writer.run(&receiver))?;
        Ok(Self { sender, shared })
    }

    /// Logs a line. Never waits. What would break the line, or play another one, is replaced.
    pub fn write(&self, level: Level, text: &str) {
        if level == Level::Debug && self.shared.debug.load(Ordering::Relaxed) == 0 {
            return;
        }
        let entry = Entry { time: Timestamp::now(), level, text: one_line(text) };
        if self.sender.try_send(Message::Entry(entry)).is_err() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Changes whether debug lines are logged; returns the former value.
    pub fn set_debug(&self, debug: u8) -> u8 {
        self.shared.debug.swap(debug, Ordering::Relaxed)
    }

    /// Whether debug lines are logged: above zero.
    #[must_use]
    pub fn debug(&self) -> u8 {
        self.shared.debug.load(Ordering::Relaxed)
    }

    /// How many lines were lost since the start: dropped on the way, and not written by a sink.
    #[must_use]
    pub fn lost(&self) -> (u64, u64) {
        (self.shared.dropped.load(Ordering::Relaxed), self.shared.failed.load(Ordering::Relaxed))
    }

    /// Which sink does not work now, and why.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until everything logged so far is written, at most `limit`; whether it is. For the end of the program.
    #[must_use]
    pub fn flush(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        let (done, waiting) = sync_channel(1);
        let mut message = Message::Flush(done);
        loop {
            match self.sender.try_send(message) {
                Ok(()) => break,
                Err(TrySendError::Disconnected(_)) => return false,
                Err(TrySendError::Full(back)) => message = back,
            }
            if Instant::now() >= end {
                return false;
            }
            std::thread::sleep(FLUSH_STEP);
        }
        waiting.recv_timeout(end.saturating_duration_since(Instant::now())).is_ok()
    }
}

/// The other end of the channel.
struct Writer {
    /// The sinks, and whether the last attempt failed.
    sinks: Vec<(Box<dyn Sink>, bool)>,
    shared: Arc<Shared>,
    /// Dropped lines that have been told.
    told: u64,
}

impl Writer {
    fn run(mut self, receiver: &Receiver<Message>) {
        let mut batch = Vec::new();
        while let Ok(message) = receiver.recv() {
            let mut flush = Vec::new();
            let mut next = Some(message);
            while let Some(message) = next {
                match message {
                    Message::Entry(entry) => batch.push(entry),
                    Message::Flush(done) => flush.push(done),
                }
                next = if batch.len() < BATCH { receiver.try_recv().ok() } else { None };
            }
            self.tell_dropped(&mut batch);
            self.write(&batch);
            batch.clear();
            for done in flush {
                // Nobody waits any more if this fails.
                let _ = done.try_send(());
            }
        }
    }

    fn tell_dropped(&mut self, batch: &mut Vec<Entry>) {
        let dropped = self.shared.dropped.load(Ordering::Relaxed);
        let new = dropped.saturating_sub(self.told);
        if new > 0 {
            self.told = dropped;
            let text = format!("{new} log lines were dropped: they came faster than they could be written");
            batch.push(Entry { time: Timestamp::now(), level: Level::Warn, text });
        }
    }

    fn write(&mut self, batch: &[Entry]) {
        if batch.is_empty() {
            return;
        }
        let mut trouble = None;
        let mut news = Vec::new();
        for (sink, failing) in &mut self.sinks {
            match sink.write(batch) {
                Ok(()) => *failing = false,
                Err(e) => {
                    let lines = u64::try_from(batch.len()).unwrap_or(u64::MAX);
                    self.shared.failed.fetch_add(lines, Ordering::Relaxed);
                    let text = format!("Cannot log to {}: {e}", sink.name());
                    if !std::mem::replace(failing, true) {
                        news.push(Entry { time: Timestamp::now(), level: sink.gravity(), text: text.clone() });
                    }
                    trouble = Some(text);
                }
            }
        }
        *self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        if !news.is_empty() {
            for (sink, _) in self.sinks.iter_mut().filter(|(_, failing)| !failing) {
                // The sinks that work tell of those that don't; their own failure shows at the next line.
                drop(sink.write(&news));
            }
        }
    }
}

/// The text without line breaks and other control characters.
fn one_line(text: &str) -> String {
    let text = text.trim_end_matches(['\n', '\r']);
    text.chars().map(|c| if c == '\t' || !c.is_control() { c } else { ' ' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps what it gets; fails or waits when told to.
    #[derive(Clone, Default)]
    struct Memory {
        lines: Arc<Mutex<Vec<String>>>,
        broken: Arc<Mutex<bool>>,
        gate: Arc<Mutex<()>>,
    }

    impl Sink for Memory {
        fn write(&mut self, entries: &[Entry]) -> io::Result<()> {
            let _open = self.gate.lock().unwrap();
            if *self.broken.lock().unwrap() {
                return Err(io::Error::other("out of paper"));
            }
            self.lines.lock().unwrap().extend(entries.iter().map(|e| e.text.clone()));
            Ok(())
        }
        fn name(&self) -> String {
            "memory".into()
        }
    }

    const LONG: Duration = Duration::from_secs(60);

    fn lines(memory: &Memory) -> Vec<String> {
        memory.lines.lock().unwrap().clone()
    }

    #[test]
    fn lines_arrive_in_order_and_flush_waits_for_them() {
        let memory = Memory::default();
        let log = Log::start(vec![Box::new(memory.clone())], 0).unwrap();
        for n in 0..1000 {
            log.write(Level::Info, &n.to_string());
        }
        assert!(log.flush(LONG));
        assert_eq!(lines(&memory), (0..1000).map(|n| n.to_string()).collect::<Vec<_>>());
        assert_eq!(log.lost(), (0, 0));
    }

    #[test]
    fn a_writer_that_hangs_blocks_nobody_and_the_loss_is_told() {
        let memory = Memory::default();
        let log = Log::start(vec![Box::new(memory.clone())], 0).unwrap();
        let closed = memory.gate.lock().unwrap();
        let all = CAPACITY + BATCH + 500;
        for n in 0..all {
            log.write(Level::Info, &n.to_string());
        }
        assert!(!log.flush(Duration::from_millis(20)), "nothing can be written");
        let dropped = usize::try_from(log.lost().0).unwrap();
        assert!(dropped >= 500, "{dropped}");
        drop(closed);
        assert!(log.flush(LONG));
        let got = lines(&memory);
        let told: usize = got.iter().filter_map(|l| l.split_once(" log lines were dropped")?.0.parse::<usize>().ok()).sum();
        assert_eq!(told, dropped);
        assert_eq!(got.iter().filter(|l| !l.contains("dropped")).count(), all - dropped);
    }

    #[test]
    fn a_sink_that_fails_is_told_once_by_the_others() {
        let (good, bad) = (Memory::default(), Memory::default());
        *bad.broken.lock().unwrap() = true;
        let log = Log::start(vec![Box::new(bad.clone()), Box::new(good.clone())], 0).unwrap();
        for text in ["a", "b"] {
            log.write(Level::Info, text);
            assert!(log.flush(LONG));
        }
        assert_eq!(lines(&good), ["a", "Cannot log to memory: out of paper", "b"]);
        assert_eq!(log.lost(), (0, 2));
        assert_eq!(log.trouble().as_deref(), Some("Cannot log to memory: out of paper"));
        *bad.broken.lock().unwrap() = false;
        log.write(Level::Info, "c");
        assert!(log.flush(LONG));
        assert_eq!((lines(&bad), log.trouble()), (vec!["c".to_owned()], None));
    }

    #[test]
    fn debug_lines_pass_only_when_wanted() {
        let memory = Memory::default();
        let log = Log::start(vec![Box::new(memory.clone())], 0).unwrap();
        log.write(Level::Debug, "one");
        assert_eq!(log.set_debug(1), 0);
        log.write(Level::Debug, "two");
        assert!(log.flush(LONG));
        assert_eq!(lines(&memory), ["two"]);
    }

    #[test]
    fn nobody_can_forge_a_line() {
        assert_eq!(one_line("a\nNov 20 alpha heartbeat: CRIT\x1b[2J\tx\r\n"), "a Nov 20 alpha heartbeat: CRIT [2J\tx");
    }
}
