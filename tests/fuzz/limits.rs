//! What one input may cost: a second of processor time, and so much memory at once. Time that the machine gives to others does
//! not count; an input that does not come back at all ends the run and is shown.

#![allow(unsafe_code)] // an allocator that counts

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// Processor time of one input.
pub const TIME: Duration = Duration::from_secs(1);
/// Bytes that one input may need at once.
pub const MEMORY: usize = 64 << 20;
/// Bytes that end the run at once, before the machine suffers.
const TOO_MUCH: usize = 1 << 30;
/// An input that takes longer than this by the wall clock never ends.
const ENDLESS: Duration = Duration::from_secs(120);

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
/// The input that runs, its target's name, and since when.
static RUNNING: Mutex<Option<(&str, Vec<u8>, Instant)>> = Mutex::new(None);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: everything is done by the system's allocator; numbers are kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller's promise is that of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the pointer is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// The cost of a run.
pub struct Cost {
    pub time: Duration,
    /// Most bytes at once, beyond those that were there before.
    pub memory: usize,
}

/// Runs it and tells what it cost.
pub fn measure(target: &'static str, input: &[u8], run: impl FnOnce()) -> Cost {
    *RUNNING.lock().unwrap() = Some((target, input.to_vec(), Instant::now()));
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let start = processor();
    run();
    let cost = Cost { time: processor() - start, memory: PEAK.load(Ordering::Relaxed).saturating_sub(before) };
    *RUNNING.lock().unwrap() = None;
    cost
}

/// Processor time of this thread.
pub fn processor() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

/// Starts the watch over inputs that do not come back or eat the machine.
pub fn watch() {
    std::thread::spawn(|| {
        loop {
            std::thread::sleep(Duration::from_millis(50));
            let endless = RUNNING.lock().unwrap().as_ref().is_some_and(|(.., since)| since.elapsed() > ENDLESS);
            let large = PEAK.load(Ordering::Relaxed) > TOO_MUCH;
            if (endless || large)
                && let Some((target, input, _)) = RUNNING.lock().unwrap().take()
            {
                let why = if large { "needs more than a GiB" } else { "does not end" };
                println!("{target}: an input {why}: {}", super::engine::shown(target, &input));
                println!("0 passed, 1 failed");
                std::process::exit(1);
            }
        }
    });
}
