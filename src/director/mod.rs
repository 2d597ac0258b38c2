//! The load balancer as a state machine: which real server is in service.
//!
//! `plan` is the configuration it works from, `health` counts and schedules, and `Director` turns time, verdicts and the
//! kernel's table into checks to run and the table to have. No I/O, no clock: see `daemon::ldirectord` for its driver.

pub mod plan;
