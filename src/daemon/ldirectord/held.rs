//! Orders about single real servers, and their place on record: there time is the wall clock's.

use std::time::Duration;

use super::{Daemon, unix_seconds};
use crate::cluster::io::Mono;
use crate::control::proto::Response;
use crate::daemon::record::Held;
use crate::director::{Event, Holds, Order, Target};

impl Daemon {
    /// Carries out an order, or none, and tells what has become of the real servers that it names.
    pub(super) fn order(&mut self, real: &str, order: Option<Order>) -> Response {
        let now = self.now();
        let ordered = real.parse::<Target>().and_then(|target| {
            match order {
                Some(order) => self.director.order(now, target, order)?,
                None => self.director.known(target)?,
            }
            Ok(target)
        });
        let target = match ordered {
            Ok(target) => target,
            Err(why) => return Response::Refused { why },
        };
        if order.is_some() {
            let held = for_record(self.director.holds(), now);
            if let Err(error) = self.record.keep_held(&held) {
                self.event(Event::error(format!("{error}: a restart would now forget who is drained or in maintenance")));
            }
            self.drain();
        }
        // Weights and connections as they are now; as last seen if the kernel does not answer.
        let _ = self.kernel.dump();
        let view = self.director.view(self.now(), self.kernel.seen());
        Response::Reals { reals: self.director.members(view, target) }
    }
}

/// The holds as they go on record.
fn for_record(holds: &Holds, now: Mono) -> Vec<Held> {
    let drains = holds.drains.iter().map(|(target, until)| Held {
        real: target.to_string(),
        maintenance: false,
        until: until.map(|at| unix_seconds() + at.0.as_secs_f64() - now.0.as_secs_f64()),
    });
    let maintenance = holds.maintenance.iter().map(|t| Held { real: t.to_string(), maintenance: true, until: None });
    drains.chain(maintenance).collect()
}

/// The holds on record. A time that is over is over now.
pub fn of_record(held: &[Held], now: Mono) -> Holds {
    let mut holds = Holds::default();
    for one in held {
        let Ok(target) = one.real.parse::<Target>() else { continue };
        if one.maintenance {
            holds.maintenance.insert(target);
        } else {
            let left = |until: f64| Duration::try_from_secs_f64(until - unix_seconds()).unwrap_or_default();
            holds.drains.insert(target, one.until.map(|until| now + left(until)));
        }
    }
    holds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_come_back_from_the_record() {
        let at = |seconds| Mono(Duration::from_secs(seconds));
        let mut holds = Holds::default();
        holds.drains.insert("10.0.0.1:80".parse().unwrap(), Some(at(160)));
        holds.drains.insert("[fd00::1]:80".parse().unwrap(), None);
        holds.maintenance.insert("10.0.0.2".parse().unwrap());
        let back = of_record(&for_record(&holds, at(100)), at(3));
        assert_eq!(back.maintenance, holds.maintenance);
        assert!(back.drains.keys().eq(holds.drains.keys()));
        let until = back.drains.values().flatten().next().unwrap();
        assert!(*until > at(3) && *until <= at(64), "{until:?}");
    }
}
