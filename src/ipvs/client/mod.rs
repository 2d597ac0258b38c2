//! Asking the kernel's IPVS: one blocking socket, many requests in one datagram.
//!
//! [`Netlink`] is the socket of the running kernel; [`Client`] speaks over it, or over anything else that answers like a
//! kernel ([`super::fake`]). `listing` reads lists that others change meanwhile.
//!
//! The socket acts on the network namespace it was opened in. Every request, reading too, needs CAP_NET_ADMIN in the
//! initial user namespace. The kernel works on a request while it is being sent, so answers are there when `send` returns;
//! the receive timeout only guards against a kernel that does not answer at all. For async code: use `spawn_blocking`.

mod listing;
mod netlink;
mod whole;

use std::io;
use std::path::PathBuf;

pub use self::netlink::Netlink;
use super::errno;
use super::model::{Command, DestEntry, Info, ServiceEntry, ServiceKey, SyncDaemon, Timeouts};
use super::refusal;
use super::transport::Transport;
use super::wire::message::{Content, messages};
use super::wire::{DecodeError, Reply, Request, constants::FAMILY_NAME, decode, family_id, get_family, push_change};

/// Seconds to wait for an answer.
const ANSWER_TIMEOUT: i64 = 10;
/// Receive buffer of a datagram, bytes: the kernel fills dumps up to 32 KiB.
const DATAGRAM: usize = 1 << 16;
/// Most requests in one datagram: with at most [`Request::MAX_BYTES`] each they fit the stock send buffer of 208 KiB, and
/// if all are refused, the answers fit the receive buffer.
const BATCH: usize = 250;
/// Times that something is asked which the kernel is too busy for, or interrupted at.
const TRIES: usize = 3;

/// Why the kernel's IPVS could not be asked, or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel knows no such family, also after an attempt to load the module.
    #[error("this kernel has no IPVS: generic netlink has no family \"IPVS\" ({source}); load it with `modprobe ip_vs`")]
    NoIpvs {
        /// What the controller said.
        source: io::Error,
    },
    /// The network namespace cannot be entered.
    #[error("network namespace {}: {source}", path.display())]
    Namespace {
        /// The file that stands for it.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// No CAP_NET_ADMIN in the initial user namespace.
    #[error("IPVS: Permission denied (you must be root)")]
    Permission,
    /// A system call on the socket failed.
    #[error("IPVS netlink socket: {what}: {source}")]
    Socket {
        /// The call.
        what: &'static str,
        /// Its error.
        source: io::Error,
    },
    /// The kernel did not answer.
    #[error("IPVS netlink socket: no answer within {ANSWER_TIMEOUT} seconds")]
    NoAnswer,
    /// The kernel dropped answers: what became of the requests is not known. Read the table again.
    #[error("IPVS netlink socket: the kernel dropped answers")]
    Overrun,
    /// The kernel answered something this program cannot read.
    #[error("IPVS netlink answer: {0}")]
    Decode(#[from] DecodeError),
    /// The kernel refused the request.
    #[error("{request}: {text}")]
    Refused {
        /// What was asked for.
        request: Box<Request>,
        /// Error number, positive.
        errno: i32,
        /// Its meaning here.
        text: String,
    },
}

/// A command that the kernel refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{command}: {text}")]
pub struct CommandError {
    /// Its place in the list.
    pub index: usize,
    /// The command.
    pub command: Command,
    /// Error number, positive.
    pub errno: i32,
    /// What the kernel means by it.
    pub text: String,
}

/// What became of a list of commands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Commands that were done.
    pub done: usize,
    /// Commands that were refused, in their order; the others were done all the same.
    pub failed: Vec<CommandError>,
}

/// A conversation with an IPVS, by default that of the running kernel.
#[derive(Debug)]
pub struct Client<T = Netlink> {
    transport: T,
    family: u16,
    sequence: u32,
    /// The dump whose end has not been seen: until then the kernel takes no other on this socket.
    dumping: Option<u32>,
    buffer: Vec<u8>,
    info: Info,
    /// Opened when a list needs a second look.
    narrow: Option<Box<Self>>,
}

impl Client {
    /// Opens a socket in the caller's network namespace and finds the family; loads the module `ip_vs` if it must.
    pub fn open() -> Result<Self, Error> {
        Self::over(Netlink::open()?)
    }
}

impl<T: Transport> Client<T> {
    /// Finds the family through a socket; loads the module `ip_vs` if it must.
    pub fn over(transport: T) -> Result<Self, Error> {
        let info = Info { version: 0, table_size: 0 };
        let buffer = Vec::with_capacity(DATAGRAM);
        let mut client = Self { transport, family: 0, sequence: 0, dumping: None, buffer, info, narrow: None };
        client.family = match client.find_family() {
            Err(Error::NoIpvs { .. }) => {
                client.transport.load_module();
                client.find_family()?
            }
            found => found?,
        };
        // The family can be asked for by everybody, IPVS itself cannot: say so now.
        client.info = client.read_info()?;
        Ok(client)
    }

    /// Version and table size, as read when the client was opened.
    #[must_use]
    pub fn info(&self) -> Info {
        self.info
    }

    /// All services with all their real servers, in the kernel's order. What others add or delete meanwhile may be there
    /// or not, everything else is there once (see `listing`). Services of protocols that this program does not know are
    /// left out.
    pub fn dump(&mut self) -> Result<Vec<ServiceEntry>, Error> {
        self.dump_by(|client, key| client.dests(key).map(|dests| (dests, false)))
    }

    /// The same, but that the counters and rates of real servers may be missing (0): several times faster, and most services
    /// are read in one piece.
    pub fn dump_uncounted(&mut self) -> Result<Vec<ServiceEntry>, Error> {
        self.dump_by(|client, key| match client.at_once(key) {
            Some(dests) => Ok((dests, true)),
            None => client.dests(key).map(|dests| (dests, false)),
        })
    }

    /// `dests`: the real servers of a service, and whether the service is known to be there.
    fn dump_by(
        &mut self,
        dests: impl Fn(&mut Self, ServiceKey) -> Result<(Vec<DestEntry>, bool), Error>,
    ) -> Result<Vec<ServiceEntry>, Error> {
        let mut entries = Vec::new();
        for mut entry in self.services()? {
            let key = entry.service.key;
            let there;
            (entry.dests, there) = dests(self, key)?;
            // Also what is there without a service: none means that there is none, or no service any more.
            if there || !entry.dests.is_empty() || self.has(key)? {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    /// One service with its real servers.
    pub fn service(&mut self, key: ServiceKey) -> Result<ServiceEntry, Error> {
        let mut found = None;
        self.ask(&Request::GetService(key), |reply| {
            if let Reply::Service(entry) = reply {
                found = Some(entry);
            }
        })?;
        let mut entry = found.ok_or(Error::Decode(DecodeError::Missing { what: "the service asked for" }))?;
        entry.dests = self.dests(key)?;
        Ok(entry)
    }

    /// Sends the commands, many in a datagram. A refused command does not keep the others from being done; those that the
    /// kernel was too busy for are sent again, with the refused ones that may have depended on them.
    ///
    /// On `Err` it is not known which commands were done: read the table again.
    pub fn apply(&mut self, commands: &[Command]) -> Result<Report, Error> {
        let mut report = Report::default();
        for (n, batch) in commands.chunks(BATCH).enumerate() {
            let mut refused = self.apply_batch(batch)?;
            for _ in 1..TRIES {
                if !refused.iter().any(|(_, errno)| errno::is_transient(*errno)) {
                    break;
                }
                self.transport.pause();
                let again: Vec<usize> = refused.iter().map(|(at, _)| *at).collect();
                let commands: Vec<Command> = again.iter().filter_map(|at| batch.get(*at)).cloned().collect();
                let still = self.apply_batch(&commands)?;
                refused = still.into_iter().filter_map(|(at, errno)| again.get(at).map(|at| (*at, errno))).collect();
            }
            report.done += batch.len() - refused.len();
            report.failed.extend(refused.into_iter().filter_map(|(at, errno)| {
                let command = batch.get(at)?.clone();
                let text = refusal::text(&Request::Change(command.clone()), errno);
                Some(CommandError { index: n * BATCH + at, command, errno, text })
            }));
        }
        if tracing::enabled!(tracing::Level::TRACE) {
            commands.iter().for_each(|command| tracing::trace!(%command, "to the kernel's table"));
        }
        tracing::debug!(done = report.done, refused = report.failed.len(), "the kernel's table was changed");
        Ok(report)
    }

    /// Sends one request that is answered by success or refusal alone.
    pub fn execute(&mut self, request: &Request) -> Result<(), Error> {
        self.ask(request, |_| {}).map(drop)
    }

    /// The connection timeouts.
    pub fn timeouts(&mut self) -> Result<Timeouts, Error> {
        let mut found = None;
        self.ask(&Request::GetTimeouts, |reply| {
            if let Reply::Timeouts(timeouts) = reply {
                found = Some(timeouts);
            }
        })?;
        found.ok_or(Error::Decode(DecodeError::Missing { what: "timeouts" }))
    }

    /// The running synchronisation daemons, master first.
    pub fn sync_daemons(&mut self) -> Result<Vec<SyncDaemon>, Error> {
        let mut found = Vec::new();
        self.ask(&Request::DumpSync, |reply| {
            if let Reply::Sync(daemon) = reply {
                found.push(daemon);
            }
        })?;
        Ok(found)
    }

    /// Whether the service is there.
    fn has(&mut self, key: ServiceKey) -> Result<bool, Error> {
        match self.ask(&Request::GetService(key), |_| {}) {
            Ok(_) => Ok(true),
            Err(Error::Refused { errno: errno::ESRCH, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn read_info(&mut self) -> Result<Info, Error> {
        let mut found = None;
        self.ask(&Request::GetInfo, |reply| {
            if let Reply::Info(info) = reply {
                found = Some(info);
            }
        })?;
        found.ok_or(Error::Decode(DecodeError::Missing { what: "IPVS version" }))
    }

    fn find_family(&mut self) -> Result<u16, Error> {
        self.sequence = self.sequence.wrapping_add(1);
        let sequence = self.sequence;
        self.send(&get_family(sequence))?;
        let mut found = None;
        loop {
            self.receive()?;
            for message in messages(&self.buffer) {
                let message = message?;
                match message.content {
                    _ if message.sequence != sequence => {}
                    Content::Outcome(0) | Content::Done(_) => {
                        return found.ok_or(Error::Decode(DecodeError::Missing { what: "family id" }));
                    }
                    Content::Outcome(errno::ENOENT) => {
                        return Err(Error::NoIpvs { source: io::Error::from_raw_os_error(errno::ENOENT) });
                    }
                    Content::Outcome(errno) => {
                        return Err(socket_error(FAMILY_NAME)(io::Error::from_raw_os_error(errno)));
                    }
                    Content::Data { command, attrs, .. } => found = Some(family_id(command, attrs)?),
                    Content::Overrun => return Err(Error::Overrun),
                    Content::Noop => {}
                }
            }
        }
    }

    /// Sends one request and hands each answer on, until the kernel says that it was the last; the number of datagrams
    /// that had answers. Asks again where the kernel had no time.
    fn ask(&mut self, request: &Request, mut each: impl FnMut(Reply)) -> Result<usize, Error> {
        let (mut tries, mut given) = (1, false);
        loop {
            let outcome = self.ask_once(request, &mut |reply| {
                given = true;
                each(reply);
            });
            match outcome {
                Err(Error::Refused { errno, .. }) if errno::is_transient(errno) && tries < TRIES && !given => {
                    tries += 1;
                    match self.dumping {
                        Some(_) => self.drain()?,
                        None => self.transport.pause(),
                    }
                }
                outcome => return outcome,
            }
        }
    }

    fn ask_once(&mut self, request: &Request, each: &mut impl FnMut(Reply)) -> Result<usize, Error> {
        self.sequence = self.sequence.wrapping_add(1);
        let sequence = self.sequence;
        let mut datagram = Vec::new();
        request.push(&mut datagram, self.family, sequence, true);
        self.send(&datagram)?;
        // One before that has not ended makes the kernel refuse this one.
        if request.is_dump() && self.dumping.is_none() {
            self.dumping = Some(sequence);
        }
        let mut broken = None;
        let mut datagrams = 0;
        loop {
            self.receive()?;
            let mut data = false;
            for message in messages(&self.buffer) {
                let message = message?;
                if matches!(message.content, Content::Done(_)) && self.dumping == Some(message.sequence) {
                    self.dumping = None;
                }
                match message.content {
                    _ if message.sequence != sequence => {}
                    // A dump ends with DONE, so that an acknowledgement before is not its end.
                    Content::Outcome(0) if request.is_dump() => {}
                    Content::Outcome(0) | Content::Done(0) => {
                        datagrams += usize::from(data);
                        return broken.map_or(Ok(datagrams), |e| Err(Error::Decode(e)));
                    }
                    Content::Outcome(errno) | Content::Done(errno) => {
                        if self.dumping == Some(sequence) {
                            self.dumping = None;
                        }
                        return Err(refused(request, errno));
                    }
                    Content::Data { family, command, attrs } if family == self.family => {
                        data = true;
                        match decode(command, attrs) {
                            Ok(reply) => each(reply),
                            Err(DecodeError::Unknown { what: "protocol", .. }) => {}
                            // The rest of the answers must still be taken off the socket.
                            Err(error) => broken = Some(error),
                        }
                    }
                    Content::Overrun => return Err(Error::Overrun),
                    Content::Data { .. } | Content::Noop => {}
                }
            }
            datagrams += usize::from(data);
        }
    }

    /// Takes what is left of a dump off the socket.
    fn drain(&mut self) -> Result<(), Error> {
        while let Some(sequence) = self.dumping {
            match self.receive() {
                Ok(()) => {}
                Err(Error::Overrun) => continue,
                Err(Error::NoAnswer) => self.dumping = None,
                Err(error) => return Err(error),
            }
            let ended = |m: Result<super::wire::message::Message<'_>, _>| {
                m.is_ok_and(|m| m.sequence == sequence && matches!(m.content, Content::Done(_)))
            };
            if messages(&self.buffer).any(ended) {
                self.dumping = None;
            }
        }
        Ok(())
    }

    /// Sends the commands in one datagram; place and error number of those that were refused. The last one is
    /// acknowledged, so its answer is the end; refusals of the others are told apart by their sequence numbers.
    fn apply_batch(&mut self, commands: &[Command]) -> Result<Vec<(usize, i32)>, Error> {
        let first = self.sequence.wrapping_add(1);
        let mut datagram = Vec::new();
        for (n, command) in commands.iter().enumerate() {
            self.sequence = self.sequence.wrapping_add(1);
            push_change(command, &mut datagram, self.family, self.sequence, n + 1 == commands.len());
        }
        let mut refused = Vec::new();
        if commands.is_empty() {
            return Ok(refused);
        }
        self.send(&datagram)?;
        let last = self.sequence;
        loop {
            self.receive()?;
            for message in messages(&self.buffer) {
                let message = message?;
                let at = usize::try_from(message.sequence.wrapping_sub(first)).unwrap_or(usize::MAX);
                if at >= commands.len() {
                    continue;
                }
                match message.content {
                    Content::Outcome(0) => {}
                    Content::Outcome(errno::EPERM) => return Err(Error::Permission),
                    Content::Outcome(errno) => refused.push((at, errno)),
                    Content::Overrun => return Err(Error::Overrun),
                    Content::Done(_) | Content::Data { .. } | Content::Noop => continue,
                }
                if message.sequence == last {
                    return Ok(refused);
                }
            }
        }
    }

    fn send(&mut self, datagram: &[u8]) -> Result<(), Error> {
        loop {
            match self.transport.send(datagram) {
                Ok(()) => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(socket_error("send")(e)),
            }
        }
    }

    /// Receives one datagram of the kernel into the buffer.
    fn receive(&mut self) -> Result<(), Error> {
        loop {
            match self.transport.receive(&mut self.buffer) {
                Ok(length) if length > self.buffer.len() => {
                    let left = self.buffer.len();
                    return Err(Error::Decode(DecodeError::Length { what: "datagram", found: length, left }));
                }
                Ok(_) => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Err(Error::NoAnswer),
                Err(e) if e.raw_os_error() == Some(errno::ENOBUFS) => return Err(Error::Overrun),
                Err(e) => return Err(socket_error("receive")(e)),
            }
        }
    }
}

fn refused(request: &Request, errno: i32) -> Error {
    match errno {
        errno::EPERM => Error::Permission,
        _ => Error::Refused { request: Box::new(request.clone()), errno, text: refusal::text(request, errno) },
    }
}

fn socket_error(what: &'static str) -> impl Fn(io::Error) -> Error {
    move |source| Error::Socket { what, source }
}
