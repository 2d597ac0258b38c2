//! A kernel's IPVS without a kernel, for tests: it keeps a table, answers in netlink's bytes and fails when told to.
//!
//! [`Kernel`] is what all sockets share, [`Socket`] is one of them. It refuses what Linux 6.1 was seen to refuse with the same
//! error numbers, hands lists out in datagrams of 32 KiB and continues them by counting entries, as the kernel does. It
//! balances nothing: counters are what [`Kernel::observe`] says.

mod answer;
mod dests;
mod request;
mod table;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::answer::Entry;
use self::table::Table;
use crate::ipvs::errno;
use crate::ipvs::model::{DestEntry, ServiceKey, Stats};
use crate::ipvs::transport::Transport;
use crate::ipvs::wire::attrs::attrs;
use crate::ipvs::wire::constants::{FAMILY_NAME, cmd, ctrl, nlmsg};
use crate::ipvs::wire::message::{Content, Head, messages, push};

/// Number of the family, as good as any.
const FAMILY: u16 = 32;
/// What the kernel puts into one datagram of a list at most, bytes.
const DATAGRAM: usize = 32 << 10;

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is refused with this error number (positive) and not carried out.
    Refuse(i32),
    /// It is carried out, and its answer is dropped for want of memory (ENOBUFS).
    Overrun,
    /// The system call that sends it is interrupted once (EINTR), before it takes anything.
    Interrupt,
    /// It is not carried out and never answered.
    Silence,
}

/// The state behind all sockets; a clone is the same kernel.
#[derive(Clone)]
pub struct Kernel(Arc<Mutex<State>>);

struct State {
    table: Table,
    /// Command numbers of the requests so far, `IPVS_CMD_*`.
    log: Vec<u8>,
    /// By the number of the request, the first one being 0.
    faults: BTreeMap<usize, Fault>,
    meanwhile: Option<Meanwhile>,
    loaded: bool,
    loadable: bool,
    permitted: bool,
    datagram: usize,
}

/// What others do while a list is handed out; the number counts its datagrams.
type Meanwhile = Box<dyn FnMut(usize) + Send>;

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel").field("requests", &self.lock().log.len()).finish_non_exhaustive()
    }
}

impl Default for Kernel {
    fn default() -> Self {
        Self::new()
    }
}

impl Kernel {
    /// An empty table; the interfaces lo and eth0, no subnet.
    #[must_use]
    pub fn new() -> Self {
        let table = Table { interfaces: vec!["lo".into(), "eth0".into()], ..Table::default() };
        Self(Arc::new(Mutex::new(State {
            table,
            log: Vec::new(),
            faults: BTreeMap::new(),
            meanwhile: None,
            loaded: true,
            loadable: true,
            permitted: true,
            datagram: DATAGRAM,
        })))
    }

    /// A new socket, for instance for `Client::over`.
    #[must_use]
    pub fn socket(&self) -> Socket {
        Socket { kernel: self.clone(), inbox: VecDeque::new(), dump: None, largest: 0 }
    }

    /// The kernel has no IPVS until the module is loaded, or, not `loadable`, never.
    pub fn unload(&self, loadable: bool) {
        let mut state = self.lock();
        (state.loaded, state.loadable) = (false, loadable);
    }

    /// Whether the callers have CAP_NET_ADMIN in the initial user namespace.
    pub fn permit(&self, permitted: bool) {
        self.lock().permitted = permitted;
    }

    /// The `nth` request from now on, the next one being 0, meets this fault. Requests for the family do not count.
    pub fn fail(&self, nth: usize, fault: Fault) {
        let mut state = self.lock();
        let nth = state.log.len() + nth;
        state.faults.insert(nth, fault);
    }

    /// Command numbers (`IPVS_CMD_*`) of the requests so far.
    #[must_use]
    pub fn log(&self) -> Vec<u8> {
        self.lock().log.clone()
    }

    /// Has this done by others whenever a list is continued in a further datagram, whose number within the list it gets.
    pub fn meanwhile(&self, what: impl FnMut(usize) + Send + 'static) {
        self.lock().meanwhile = Some(Box::new(what));
    }

    /// Bytes of a list that fit in one datagram, instead of 32 KiB. Sockets with a smaller buffer get accordingly less.
    pub fn set_datagram(&self, bytes: usize) {
        self.lock().datagram = bytes;
    }

    /// The host's interfaces, and the broadcast addresses of its subnets.
    pub fn set_network(&self, interfaces: &[&str], broadcasts: &[Ipv4Addr]) {
        let mut state = self.lock();
        state.table.interfaces = interfaces.iter().map(|name| (*name).to_owned()).collect();
        state.table.broadcasts = broadcasts.to_vec();
    }

    /// Sets what the kernel counted for a real server: its connections and statistics. Whether there is such a one.
    pub fn observe(&self, key: &ServiceKey, counted: &DestEntry) -> bool {
        self.lock().table.observe(key, counted)
    }

    /// Sets the statistics of a service. Whether there is such a one.
    pub fn observe_service(&self, key: &ServiceKey, counted: Stats) -> bool {
        self.lock().table.observe_service(key, counted)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Others get their turn, without the lock: they use sockets of their own.
    fn others(&self, datagram: usize) {
        let Some(mut what) = self.lock().meanwhile.take() else { return };
        what(datagram);
        self.lock().meanwhile.get_or_insert(what);
    }
}

/// One socket of a [`Kernel`].
#[derive(Debug)]
pub struct Socket {
    kernel: Kernel,
    inbox: VecDeque<Arrival>,
    dump: Option<Dump>,
    /// Largest buffer that was offered, bytes.
    largest: usize,
}

#[derive(Debug)]
enum Arrival {
    Datagram(Vec<u8>),
    Lost,
}

/// A list that is being handed out.
#[derive(Debug)]
struct Dump {
    what: table::List,
    sequence: u32,
    /// Entries that were handed out.
    at: usize,
    /// Datagrams that were handed out.
    datagrams: usize,
}

impl Transport for Socket {
    fn another(&self) -> io::Result<Self> {
        Ok(self.kernel.socket())
    }

    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        {
            let mut state = self.kernel.lock();
            let next = state.log.len();
            if state.faults.get(&next) == Some(&Fault::Interrupt) {
                state.faults.remove(&next);
                return Err(io::Error::from_raw_os_error(errno::EINTR));
            }
        }
        for message in messages(datagram) {
            let Ok(message) = message else { break };
            if let Content::Data { family, command, attrs } = message.content {
                let asked = Asked { flags: message.flags, sequence: message.sequence, command, attrs };
                match family {
                    nlmsg::GENL_ID_CTRL => self.control(&asked),
                    FAMILY => self.ipvs(&asked),
                    _ => self.outcome(&asked, errno::ENOENT),
                }
            }
        }
        Ok(())
    }

    fn receive(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        self.largest = self.largest.max(buffer.capacity()).min(DATAGRAM);
        let arrival = self.inbox.pop_front().ok_or_else(|| io::Error::from(io::ErrorKind::WouldBlock))?;
        self.go_on();
        match arrival {
            Arrival::Datagram(bytes) => {
                buffer.clear();
                buffer.extend_from_slice(bytes.get(..buffer.capacity()).unwrap_or(&bytes));
                Ok(bytes.len())
            }
            Arrival::Lost => Err(io::Error::from_raw_os_error(errno::ENOBUFS)),
        }
    }

    fn load_module(&mut self) {
        let mut state = self.kernel.lock();
        state.loaded |= state.loadable;
    }
}

/// One request as it came.
struct Asked<'a> {
    flags: u16,
    sequence: u32,
    command: u8,
    attrs: &'a [u8],
}

impl Socket {
    /// The family controller.
    fn control(&mut self, asked: &Asked<'_>) {
        let name = attrs(asked.attrs).flatten().find(|a| a.kind == ctrl::FAMILY_NAME).map(|a| a.text());
        let found = asked.command == ctrl::GETFAMILY && name.as_deref() == Some(FAMILY_NAME) && self.kernel.lock().loaded;
        if !found {
            return self.outcome(asked, errno::ENOENT);
        }
        let family = nlmsg::GENL_ID_CTRL;
        let head = Head { family, flags: 0, sequence: asked.sequence, command: ctrl::NEWFAMILY, version: ctrl::VERSION };
        let mut out = Vec::new();
        push(&mut out, head, |w| {
            w.text(ctrl::FAMILY_NAME, FAMILY_NAME);
            w.u16(ctrl::FAMILY_ID, FAMILY);
        });
        self.inbox.push_back(Arrival::Datagram(out));
        self.outcome(asked, 0);
    }

    fn ipvs(&mut self, asked: &Asked<'_>) {
        let (fault, permitted) = {
            let mut state = self.kernel.lock();
            let number = state.log.len();
            state.log.push(asked.command);
            (state.faults.remove(&number), state.permitted)
        };
        if !permitted {
            return self.outcome(asked, errno::EPERM);
        }
        match fault {
            Some(Fault::Refuse(errno)) => self.outcome(asked, errno),
            Some(Fault::Silence) => {}
            Some(Fault::Overrun) => {
                let before = self.inbox.len();
                self.carry_out(asked);
                self.inbox.truncate(before);
                self.inbox.push_back(Arrival::Lost);
            }
            // It concerns a system call, so only the first request of one.
            None | Some(Fault::Interrupt) => self.carry_out(asked),
        }
    }

    fn carry_out(&mut self, asked: &Asked<'_>) {
        if asked.flags & nlmsg::F_DUMP != 0 {
            if self.dump.is_some() {
                return self.outcome(asked, errno::EBUSY);
            }
            match request::list(asked.command, asked.attrs) {
                Ok(what) => {
                    self.dump = Some(Dump { what, sequence: asked.sequence, at: 0, datagrams: 0 });
                    self.go_on();
                }
                Err(errno) => self.outcome(asked, errno),
            }
            return;
        }
        let outcome = request::carry_out(&mut self.kernel.lock().table, asked.command, asked.attrs);
        match outcome {
            Ok(entry) => {
                if let Some(entry) = entry {
                    let mut out = Vec::new();
                    entry.push(&mut out, FAMILY, 0, asked.sequence);
                    self.inbox.push_back(Arrival::Datagram(out));
                }
                self.outcome(asked, 0);
            }
            Err(errno) => self.outcome(asked, errno),
        }
    }

    /// The next datagram of the list under way, into the inbox: the kernel makes it when the one before is taken.
    fn go_on(&mut self) {
        let Some(mut dump) = self.dump.take() else { return };
        if dump.datagrams > 0 {
            self.kernel.others(dump.datagrams);
        }
        let (entries, room) = {
            let state = self.kernel.lock();
            (state.table.list(&dump.what, dump.at), state.datagram * self.largest / DATAGRAM)
        };
        let mut out = Vec::new();
        for entry in &entries {
            let before = out.len();
            entry.push(&mut out, FAMILY, nlmsg::F_MULTI, dump.sequence);
            if out.len() > room && before > 0 {
                out.truncate(before);
                break;
            }
            dump.at += 1;
        }
        dump.datagrams += 1;
        if out.is_empty() {
            answer::done(&mut out, dump.sequence);
        } else {
            self.dump = Some(dump);
        }
        self.inbox.push_back(Arrival::Datagram(out));
    }

    /// Refusals are always told, successes if that was asked for.
    fn outcome(&mut self, asked: &Asked<'_>, errno: i32) {
        if errno != 0 || asked.flags & nlmsg::F_ACK != 0 {
            let mut out = Vec::new();
            answer::outcome(&mut out, asked.sequence, errno);
            self.inbox.push_back(Arrival::Datagram(out));
        }
    }
}

/// The command number that answers a question, as the kernel numbers them.
fn answered_with(entry: &Entry) -> u8 {
    match entry {
        Entry::Service(_) => cmd::NEW_SERVICE,
        Entry::Dest(_) => cmd::NEW_DEST,
        Entry::Daemon(_) => cmd::NEW_DAEMON,
        Entry::Timeouts(_) => cmd::SET_CONFIG,
        Entry::Info => cmd::SET_INFO,
    }
}
