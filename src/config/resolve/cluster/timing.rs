//! The times of `ha.cf`: defaults that follow from each other, and what they may be to each other.

use std::time::Duration;

use super::{Diagnostic, Resolver, ha_cf};

/// All of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timing {
    pub(super) keepalive: Duration,
    pub(super) deadtime: Duration,
    pub(super) warntime: Duration,
    pub(super) initdead: Duration,
    pub(super) deadping: Duration,
}

/// `keepalive` unless set: what the program does; its manual says 2 s.
const KEEPALIVE: Duration = Duration::from_secs(1);
/// `deadtime` unless set.
const DEADTIME: Duration = Duration::from_secs(30);
/// An `initdead` below this is told to be short.
const SHORT_INITDEAD: Duration = Duration::from_secs(10);

impl Timing {
    /// What is written, else the defaults.
    pub(super) fn of(cf: &ha_cf::File) -> Self {
        let deadtime = super::value(&cf.deadtime, DEADTIME);
        Self {
            keepalive: super::value(&cf.keepalive, KEEPALIVE),
            deadtime,
            warntime: super::value(&cf.warntime, deadtime / 2),
            initdead: super::value(&cf.initdead, default_initdead(deadtime)),
            deadping: super::value(&cf.deadping, deadtime),
        }
    }
}

impl Resolver<'_> {
    pub(super) fn timing(&mut self) -> Timing {
        let cf = self.files.ha_cf;
        let timing = Timing::of(cf);
        let Timing { keepalive, deadtime, warntime, initdead, deadping } = timing;
        let ms = |d: Duration| d.as_millis();
        if deadtime <= keepalive * 2 {
            let what = format!("Dead time [{}] is too small compared to keeplive [{}]", ms(deadtime), ms(keepalive));
            self.at(cf.deadtime.as_ref().or(cf.keepalive.as_ref()), what, "must be more than twice keepalive");
        }
        if initdead < deadtime {
            let what = format!("Initial dead time [{}] is smaller than deadtime [{}]", ms(initdead), ms(deadtime));
            self.at(cf.initdead.as_ref(), what, "twice deadtime is usual");
        } else if initdead < SHORT_INITDEAD {
            self.push_late(
                Diagnostic::warning(
                    cf.initdead.as_ref().map(|s| s.span).unwrap_or_default(),
                    format!("Initial dead time [{} ms] may be too small!", ms(initdead)),
                )
                .hint("a network may take longer to come up"),
            );
            self.push_late(Diagnostic::info("Initial dead time accounts for slow network startup time"));
            self.push_late(Diagnostic::info("It should be >= deadtime and >= 10 seconds"));
        } else if let Some(set) = cf.initdead.as_ref().filter(|_| initdead < deadtime * 2) {
            let what = format!("initdead [{}] is less than twice deadtime [{}]", ms(initdead), ms(deadtime));
            self.push_late(Diagnostic::warning(set.span, what).hint("a peer that boots slowly is declared dead at the start"));
        }
        // Without a ping node this still is an error of the original; a deadtime that is too small has been told already.
        if deadping <= keepalive * 2 && cf.deadping.is_some() {
            let what = format!("Ping dead time [{}] is too small compared to keeplive [{}]", ms(deadping), ms(keepalive));
            self.at(cf.deadping.as_ref(), what, "must be more than twice keepalive");
        }
        if let Some(set) = cf.warntime.as_ref().filter(|_| warntime >= deadtime) {
            let what = format!("warntime [{}] is not less than deadtime [{}]", ms(warntime), ms(deadtime));
            self.push_late(Diagnostic::warning(set.span, what).hint("a late heartbeat is never told before the node is dead"));
        }
        timing
    }

    fn at(&mut self, place: Option<&super::Spanned<Duration>>, what: String, hint: &str) {
        match place {
            Some(set) => self.late_error(set.span, what, hint),
            None => self.push_late(Diagnostic::error(super::Span::default(), what).whole_file().hint(hint)),
        }
    }
}

fn default_initdead(deadtime: Duration) -> Duration {
    match deadtime.as_millis() {
        10_001.. => deadtime,
        ..6_000 => Duration::from_secs(12),
        _ => deadtime * 2,
    }
}
