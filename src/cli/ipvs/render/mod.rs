//! What the verbs print. Pure.

pub(super) mod changes;
pub(super) mod sysctl;
pub(super) mod watch;
