//! The kernel's settings that end connections to real servers that are gone or quiesced, for `#lvs-ha: expire-flows yes`. What
//! they were is on record before they are changed, and put back when they are wanted no more or the daemon stops.

use std::io;

use crate::daemon::record::{Record, Setting};
use crate::director::Event;
use crate::errors::chain;
use crate::ipvs::proc_sys;

/// Packets of a connection whose real server has left the table end it, so that the client's next one
/// is scheduled anew; persistence templates to a quiesced real server end.
const WANTED: [&str; 2] = ["net.ipv4.vs.expire_nodest_conn", "net.ipv4.vs.expire_quiescent_template"];

/// Sets them, or puts back what is on record. What could not be done comes back.
pub(super) fn set(wanted: bool, record: &Record) -> Vec<Event> {
    if wanted { change(record) } else { put_back(record) }
}

fn change(record: &Record) -> Vec<Event> {
    let mut events = Vec::new();
    let mut before = record.settings();
    for name in WANTED {
        let value = match proc_sys::read(name) {
            Ok(value) => value,
            Err(error) => {
                events.push(Event::error(chain(&error)));
                continue;
            }
        };
        if value == "1" {
            continue;
        }
        before.retain(|s| s.name != name);
        before.push(Setting { name: name.to_owned(), before: value.clone() });
        let done = record.keep_settings(&before).map_err(io::Error::other).and_then(|()| write(name, "1"));
        events.push(match done {
            Ok(()) => Event::info(format!("{name} was {value}, is 1 until ldirectord stops")),
            Err(error) => Event::error(format!("cannot set {name} to 1: {}", chain(&error))),
        });
    }
    events
}

fn put_back(record: &Record) -> Vec<Event> {
    let settings = record.settings();
    let mut events = Vec::new();
    for Setting { name, before } in settings.iter().filter(|s| WANTED.contains(&s.name.as_str())) {
        // Somebody has changed it meanwhile: it is theirs now.
        if proc_sys::read(name).is_ok_and(|now| now != "1") {
            continue;
        }
        events.push(match write(name, before) {
            Ok(()) => Event::info(format!("{name} is {before} again")),
            Err(error) => Event::error(format!("cannot put {name} back to {before}: {}", chain(&error))),
        });
    }
    if !settings.is_empty() {
        // Left on record it would be put back once more: no harm.
        let _ = record.keep_settings(&[]);
    }
    events
}

fn write(name: &str, value: &str) -> io::Result<()> {
    proc_sys::write(name, value).map_err(io::Error::other)
}
