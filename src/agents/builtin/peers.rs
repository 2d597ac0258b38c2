//! The Ethernet addresses of the other nodes, learned while they answer, so that an answer for an address we are to take can
//! be told from a stranger's.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::net::Mac;

/// Ethernet addresses and whom they belong to.
#[derive(Debug, Default)]
pub struct Peers {
    known: Mutex<BTreeMap<Mac, String>>,
}

/// What an answer to a probe means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// Nobody answers: the address is free.
    Free,
    /// This peer's kernel still answers, although the address is ours now: take it.
    Peer(String),
    /// A stranger answers: leave it.
    Stranger(Mac),
}

impl Peers {
    /// Remembers that `mac` belongs to `whom` (a node's name or one of its addresses).
    pub fn learn(&self, mac: Mac, whom: &str) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(mac, whom.to_owned());
    }

    /// What it means that `answer` answers for an address that is to be ours.
    #[must_use]
    pub fn judge(&self, answer: Option<Mac>) -> Judgement {
        let Some(mac) = answer else { return Judgement::Free };
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&mac).map_or(Judgement::Stranger(mac), |whom| Judgement::Peer(whom.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_stranger_keeps_us_from_an_address() {
        let peers = Peers::default();
        let mac = Mac([2, 0, 0, 0, 0, 1]);
        assert_eq!(peers.judge(None), Judgement::Free);
        assert_eq!(peers.judge(Some(mac)), Judgement::Stranger(mac));
        peers.learn(mac, "beta");
        assert_eq!(peers.judge(Some(mac)), Judgement::Peer("beta".into()));
    }
}
