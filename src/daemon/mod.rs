//! Composition: clock, sockets, tasks, signals and the drivers of the two state machines.

pub mod background;
pub mod heartbeat;
pub mod ldirectord;
pub mod pidfile;
pub mod record;
