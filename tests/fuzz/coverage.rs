//! Which code was reached. A library that was compiled by `tests/fuzz/rustc` counts in one byte for each edge of its control
//! flow (SanitizerCoverage's inline counters) and says at its start where these are.

#![allow(unsafe_code)] // the compiler hands over two addresses

use std::sync::atomic::{AtomicUsize, Ordering};

static START: AtomicUsize = AtomicUsize::new(0);
static STOP: AtomicUsize = AtomicUsize::new(0);

/// Called before `main` by what the compiler puts into an instrumented library.
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_8bit_counters_init(start: *mut u8, stop: *mut u8) {
    // Each compilation unit calls it with the bounds of the whole section.
    START.store(start as usize, Ordering::Relaxed);
    STOP.store(stop as usize, Ordering::Relaxed);
}

/// The table of code addresses beside the counters, which is not needed.
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_pcs_init(_: *const usize, _: *const usize) {}

/// Whether the library counts.
pub fn available() -> bool {
    STOP.load(Ordering::Relaxed) > START.load(Ordering::Relaxed)
}

/// What has been reached so far: for each edge a bit for each magnitude of its count.
pub struct Reached(Vec<u8>);

impl Reached {
    pub fn nothing() -> Self {
        Self(vec![0; STOP.load(Ordering::Relaxed) - START.load(Ordering::Relaxed)])
    }

    /// Takes in the counts since the last call and sets them to zero; whether there was anything new.
    pub fn take(&mut self) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let mut new = false;
        // SAFETY: the section of the counters is mapped for as long as the process runs, holds plain bytes and is only ever
        // written by this thread: no target starts another.
        let counts = unsafe { std::slice::from_raw_parts_mut(START.load(Ordering::Relaxed) as *mut u8, self.0.len()) };
        for (counts, seen) in counts.chunks_mut(64).zip(self.0.chunks_mut(64)) {
            if counts.iter().all(|c| *c == 0) {
                continue;
            }
            for (count, seen) in counts.iter_mut().zip(seen) {
                let bit = match std::mem::take(count) {
                    0 => continue,
                    n @ 1..=3 => 1 << (n - 1),
                    4..=7 => 8,
                    8..=15 => 16,
                    16..=31 => 32,
                    32..=127 => 64,
                    _ => 128,
                };
                new |= *seen & bit == 0;
                *seen |= bit;
            }
        }
        new
    }

    /// Edges that were reached.
    pub fn count(&self) -> usize {
        self.0.iter().filter(|seen| **seen != 0).count()
    }
}
