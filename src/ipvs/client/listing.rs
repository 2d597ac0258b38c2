//! Lists that others change while they are read.
//!
//! The kernel hands a list out in datagrams of up to 32 KiB and continues by counting entries: an entry that is deleted
//! meanwhile makes it skip another, one that is added makes it repeat one, and it never marks such a list. What comes in one
//! datagram was read under a lock and is true. What comes in several is read until two looks agree, at most [`LOOKS`] times,
//! and every other look has datagrams of another size: somebody who adds and deletes the same entry again and again would
//! else make two looks skip the same one. Of a list that never rests, what any look saw is taken, so that nothing is lost
//! that stayed.
//!
//! The older interface hands out the real servers of one service in one piece; where it can tell all that is wanted, a list
//! needs one look, however long it is.

use std::collections::BTreeSet;

use super::{Client, Error};
use crate::ipvs::model::{DestEntry, DestKey, Forward, ServiceEntry, ServiceKey};
use crate::ipvs::transport::Transport;
use crate::ipvs::wire::{Reply, Request, sockopt};

/// Most looks at one list.
const LOOKS: usize = 5;
/// Receive buffer of every other look, bytes. The kernel makes no datagram of a list larger than the largest buffer that a
/// socket offered.
const NARROW: usize = 20 << 10;

/// What a list consists of.
trait Entry: Sized {
    type Key: Ord;

    fn from_reply(reply: Reply) -> Option<Self>;
    fn key(&self) -> Self::Key;
    /// Whether the other says the same, but for what the kernel counts.
    fn agrees(&self, other: &Self) -> bool;
}

impl Entry for ServiceEntry {
    type Key = ServiceKey;

    fn from_reply(reply: Reply) -> Option<Self> {
        if let Reply::Service(entry) = reply { Some(entry) } else { None }
    }

    fn key(&self) -> ServiceKey {
        self.service.key
    }

    fn agrees(&self, other: &Self) -> bool {
        self.service == other.service
    }
}

impl Entry for DestEntry {
    type Key = DestKey;

    fn from_reply(reply: Reply) -> Option<Self> {
        if let Reply::Dest(entry) = reply { Some(entry) } else { None }
    }

    fn key(&self) -> DestKey {
        self.dest.key
    }

    fn agrees(&self, other: &Self) -> bool {
        self.dest == other.dest
    }
}

impl<T: Transport> Client<T> {
    /// All services, without their real servers.
    pub(super) fn services(&mut self) -> Result<Vec<ServiceEntry>, Error> {
        self.listed(&Request::DumpServices)
    }

    /// The real servers of one service; none if there is no such service.
    pub(super) fn dests(&mut self, key: ServiceKey) -> Result<Vec<DestEntry>, Error> {
        self.listed(&Request::DumpDests(key))
    }

    /// The real servers of one service without counters, as they were at one moment, through the older interface; `None` where
    /// that does not tell all: of IPv6, of tunnels, of a service that changed between two questions, or where there is none.
    pub(super) fn at_once(&mut self, key: ServiceKey) -> Option<Vec<DestEntry>> {
        let mut service = sockopt::service(&key)?;
        self.transport.get_option(sockopt::GET_SERVICE, &mut service).ok()?;
        let members = sockopt::members(&service)?;
        // Room for one more, so that one more is seen.
        let mut answer = sockopt::dests_question(&key, members.checked_add(1)?)?;
        self.transport.get_option(sockopt::GET_DESTS, &mut answer).ok()?;
        let dests = sockopt::dests(&answer).ok()?;
        let whole = dests.len() == members && dests.iter().all(|entry| entry.dest.forward != Forward::Ipip);
        whole.then_some(dests)
    }

    fn listed<E: Entry>(&mut self, request: &Request) -> Result<Vec<E>, Error> {
        let mut looks: Vec<Vec<E>> = Vec::new();
        for look in 1..=LOOKS {
            let mut entries = Vec::new();
            let client = if look % 2 == 0 { self.narrow() } else { &mut *self };
            let datagrams = match client.ask(request, |reply| entries.extend(E::from_reply(reply))) {
                Ok(datagrams) => datagrams,
                // Answers were dropped: that was no look.
                Err(Error::Overrun) if look < LOOKS => {
                    client.drain()?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if datagrams <= 1 || looks.last().is_some_and(|last| agree(last, &entries)) {
                return Ok(entries);
            }
            looks.push(entries);
        }
        if looks.len() > 1 {
            tracing::warn!(%request, "the kernel's table changes faster than it can be read");
        }
        let mut seen = BTreeSet::new();
        Ok(looks.into_iter().rev().flatten().filter(|entry| seen.insert(entry.key())).collect())
    }

    /// The same kernel through a socket with a smaller buffer; where there is no further one, this.
    fn narrow(&mut self) -> &mut Self {
        if self.narrow.is_none()
            && let Ok(transport) = self.transport.another()
        {
            let buffer = Vec::with_capacity(NARROW);
            let (family, info) = (self.family, self.info);
            self.narrow = Some(Box::new(Self { transport, family, sequence: 0, dumping: None, buffer, info, narrow: None }));
        }
        match self.narrow.take() {
            Some(narrow) => self.narrow.insert(narrow),
            None => self,
        }
    }
}

/// Whether two looks saw the same, and each entry once.
fn agree<E: Entry>(a: &[E], b: &[E]) -> bool {
    let once = || {
        let mut keys: Vec<E::Key> = b.iter().map(Entry::key).collect();
        keys.sort_unstable();
        keys.iter().zip(keys.iter().skip(1)).all(|(a, b)| a != b)
    };
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.key() == b.key() && a.agrees(b)) && once()
}
