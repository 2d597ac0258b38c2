//! heartbeat on hosts: the tutorials' pairs, pairs of ours, pairs with a real Heartbeat, crashes, local programs, bad input.

mod bad_input;
mod beside;
mod clients;
mod crash;
mod files;
mod lifecycle;
mod load;
mod media;
mod migration;
mod mixed;
pub mod pair;
mod resources;
mod sequences;
mod stuck;
mod tutorials;

use crate::runner::Case;

/// The longest first: they run side by side with the others.
pub fn cases() -> Vec<Case> {
    [
        tutorials::CASES,
        sequences::CASES,
        migration::CASES,
        media::CASES,
        load::CASES,
        crash::CASES,
        mixed::CASES,
        lifecycle::CASES,
        clients::CASES,
        resources::CASES,
        stuck::CASES,
        beside::CASES,
        files::CASES,
        bad_input::CASES,
    ]
    .concat()
}
