//! What the verbs print. Pure.

pub(super) mod changes;
pub(super) mod explain;
pub(super) mod sysctl;
pub(super) mod watch;
