//! Addresses of this host and what the network must know of them.
//!
//! `addr` adds and removes addresses (rtnetlink), `announce` tells the neighbours where an address now lives, `probe` asks
//! whether somebody else answers for it. Who may have an address is decided elsewhere.

pub mod addr;
pub mod announce;
pub mod probe;
pub mod wire;

use std::fmt;

/// An Ethernet address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}
