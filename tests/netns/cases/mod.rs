//! The cases, one file an area. A new file adds its `CASES` here.

mod harness;
pub mod heartbeat;
mod ipvsadm;
mod ldirectord;
mod resources;
mod services;

use crate::runner::Case;

/// Every case.
pub fn all() -> Vec<Case> {
    [heartbeat::cases().as_slice(), harness::CASES, resources::CASES, ipvsadm::CASES, ldirectord::CASES, services::CASES].concat()
}
