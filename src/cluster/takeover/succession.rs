//! A restart of heartbeat that nobody notices: one run leaves what it holds running, the next one holds it from the start.

use std::time::Duration;

use crate::cluster::io::{Held, Output};
use crate::cluster::membership::{Status, status_message};
use crate::cluster::takeover::{Phase, Takeover};
use crate::cluster::voice::Cx;

/// The others wait so much longer for a next run.
const SUCCESSION: Duration = Duration::from_secs(30);

/// Times that this is said.
const TIMES: usize = 4;

impl Takeover {
    /// What the run before has left running.
    pub(in crate::cluster) fn keep(&mut self, held: &[Held]) {
        for held in held {
            self.slots.keep(*held);
        }
    }

    /// Ends for a next run, which keeps what runs. The others are told to wait for it.
    pub(super) fn make_way(&mut self, cx: &mut Cx<'_>) {
        let status = if self.phase == Phase::Waiting { Status::Up } else { Status::Active };
        (self.phase, self.pending) = (Phase::Gone, None);
        cx.timers.clear_all();
        // Who does not hear it takes over in the middle: nobody is left to say a lost packet again.
        for _ in 0..TIMES {
            cx.say(status_message(cx.settings, status, cx.settings.deadtime + SUCCESSION));
        }
        let claimed = self.slots.iter().filter(|(_, s)| s.claimed);
        let held = claimed.map(|(group, s)| Held { group, on_loan: s.on_loan }).collect();
        cx.voice.put_out(Output::Succeed { held });
    }
}
