//! The netlink socket to the kernel's IPVS: one blocking socket, many requests in one datagram.
//!
//! The socket acts on the network namespace it was opened in. Every request, reading too, needs CAP_NET_ADMIN in the
//! initial user namespace. The kernel works on a request while it is being sent, so answers are there when `send` returns;
//! the receive timeout only guards against a kernel that does not answer at all. For async code: use `spawn_blocking`.

use std::io;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_GENERIC};
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::TimeVal;

use super::model::{Command, DestEntry, Info, ServiceEntry, ServiceKey, SyncDaemon, Timeouts};
use super::refusal;
use super::wire::message::{Content, messages};
use super::wire::{DecodeError, Reply, Request, constants::FAMILY_NAME, decode, family_id, get_family};

/// Seconds to wait for an answer.
const ANSWER_TIMEOUT: i64 = 10;
/// Receive buffer of a datagram, bytes: the kernel fills dumps up to 32 KiB.
const DATAGRAM: usize = 1 << 16;
/// Socket buffers, bytes. A refusal takes about 800 bytes of kernel memory, [`BATCH`] of them fit many times.
const SOCKET_BUFFER: usize = 1 << 20;
/// Most requests in one datagram: with at most [`Request::MAX_BYTES`] each they fit the stock send buffer of 208 KiB, and
/// if all are refused, the answers fit the receive buffer.
const BATCH: usize = 250;

/// Why the kernel's IPVS could not be asked, or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel knows no such family, also after an attempt to load the module.
    #[error("this kernel has no IPVS: generic netlink has no family \"IPVS\" ({source}); load it with `modprobe ip_vs`")]
    NoIpvs {
        /// What the controller said.
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

/// The connection to the kernel's IPVS.
pub struct Client {
    socket: Socket,
    family: u16,
    sequence: u32,
    buffer: Vec<u8>,
    info: Info,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("family", &self.family).field("info", &self.info).finish_non_exhaustive()
    }
}

impl Client {
    /// Opens the socket in the caller's network namespace and finds the family; loads the module `ip_vs` if it must.
    pub fn open() -> Result<Self, Error> {
        let mut socket = Socket::new(NETLINK_GENERIC).map_err(socket_error("open"))?;
        socket.bind_auto().map_err(socket_error("bind"))?;
        socket.connect(&SocketAddr::new(0, 0)).map_err(socket_error("connect"))?;
        let timeout = TimeVal::new(ANSWER_TIMEOUT, 0);
        setsockopt(&socket, sockopt::ReceiveTimeout, &timeout).map_err(|e| socket_error("SO_RCVTIMEO")(e.into()))?;
        // Larger than the system's limit needs privilege; without, the limit itself is enough for one batch.
        if setsockopt(&socket, sockopt::RcvBufForce, &SOCKET_BUFFER).is_err() {
            setsockopt(&socket, sockopt::RcvBuf, &SOCKET_BUFFER).map_err(|e| socket_error("SO_RCVBUF")(e.into()))?;
        }
        // Refusals then come without the request that they answer.
        socket.set_cap_ack(true).map_err(socket_error("NETLINK_CAP_ACK"))?;
        let info = Info { version: 0, table_size: 0 };
        let mut client = Self { socket, family: 0, sequence: 0, buffer: Vec::with_capacity(DATAGRAM), info };
        client.family = match client.find_family() {
            Err(Error::NoIpvs { .. }) => {
                load_module();
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

    /// All services with all their real servers, in the kernel's order. Not atomic: what others change meanwhile may be
    /// seen twice or not at all. Services of protocols that this program does not know are left out.
    pub fn dump(&mut self) -> Result<Vec<ServiceEntry>, Error> {
        let mut services = Vec::new();
        self.ask(&Request::DumpServices, |reply| {
            if let Reply::Service(entry) = reply {
                services.push(entry);
            }
        })?;
        // One after the other: a socket can have one dump under way only, a second one is refused as busy.
        for entry in &mut services {
            entry.dests = self.dests(entry.service.key)?;
        }
        Ok(services)
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

    /// Sends the commands, many in a datagram. A refused command does not keep the others from being done.
    ///
    /// On `Err` it is not known which commands were done: read the table again.
    pub fn apply(&mut self, commands: &[Command]) -> Result<Report, Error> {
        let mut report = Report::default();
        for batch in commands.chunks(BATCH) {
            self.apply_batch(batch, &mut report)?;
        }
        for command in commands {
            tracing::trace!(%command, "to the kernel's table");
        }
        tracing::debug!(done = report.done, refused = report.failed.len(), "the kernel's table was changed");
        Ok(report)
    }

    /// Sends one request that is answered by success or refusal alone.
    pub fn execute(&mut self, request: &Request) -> Result<(), Error> {
        self.ask(request, |_| {})
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

    fn dests(&mut self, key: ServiceKey) -> Result<Vec<DestEntry>, Error> {
        let mut dests = Vec::new();
        self.ask(&Request::DumpDests(key), |reply| {
            if let Reply::Dest(entry) = reply {
                dests.push(entry);
            }
        })?;
        Ok(dests)
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
                    Content::Outcome(libc::ENOENT) => {
                        return Err(Error::NoIpvs { source: io::Error::from_raw_os_error(libc::ENOENT) });
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

    /// Sends one request and hands each answer on, until the kernel says that it was the last.
    fn ask(&mut self, request: &Request, mut each: impl FnMut(Reply)) -> Result<(), Error> {
        self.sequence = self.sequence.wrapping_add(1);
        let sequence = self.sequence;
        let mut datagram = Vec::new();
        request.push(&mut datagram, self.family, sequence, true);
        self.send(&datagram)?;
        let mut broken = None;
        loop {
            self.receive()?;
            for message in messages(&self.buffer) {
                let message = message?;
                match message.content {
                    _ if message.sequence != sequence => {}
                    // A dump ends with DONE, so that an acknowledgement before is not its end.
                    Content::Outcome(0) if request.is_dump() => {}
                    Content::Outcome(0) | Content::Done(0) => return broken.map_or(Ok(()), |e| Err(Error::Decode(e))),
                    Content::Outcome(libc::EPERM) | Content::Done(libc::EPERM) => return Err(Error::Permission),
                    Content::Outcome(errno) | Content::Done(errno) => {
                        let (text, request) = (refusal::text(request, errno), Box::new(request.clone()));
                        return Err(Error::Refused { request, errno, text });
                    }
                    Content::Data { family, command, attrs } if family == self.family => match decode(command, attrs) {
                        Ok(reply) => each(reply),
                        Err(DecodeError::Unknown { what: "protocol", .. }) => {}
                        // The rest of the answers must still be taken off the socket.
                        Err(error) => broken = Some(error),
                    },
                    Content::Overrun => return Err(Error::Overrun),
                    Content::Data { .. } | Content::Noop => {}
                }
            }
        }
    }

    /// Sends the commands in one datagram. The last one is acknowledged, so its answer is the end; refusals of the others
    /// are told apart by their sequence numbers.
    fn apply_batch(&mut self, commands: &[Command], report: &mut Report) -> Result<(), Error> {
        let before = report.done + report.failed.len();
        let first = self.sequence.wrapping_add(1);
        let mut datagram = Vec::new();
        let mut requests = Vec::with_capacity(commands.len());
        for (n, command) in commands.iter().enumerate() {
            self.sequence = self.sequence.wrapping_add(1);
            let request = Request::Change(command.clone());
            request.push(&mut datagram, self.family, self.sequence, n + 1 == commands.len());
            requests.push(request);
        }
        self.send(&datagram)?;
        let last = self.sequence;
        let refused = report.failed.len();
        'answers: loop {
            self.receive()?;
            for message in messages(&self.buffer) {
                let message = message?;
                let at = usize::try_from(message.sequence.wrapping_sub(first)).unwrap_or(usize::MAX);
                let (Some(request), Some(command)) = (requests.get(at), commands.get(at)) else { continue };
                match message.content {
                    Content::Outcome(0) => {}
                    Content::Outcome(libc::EPERM) => return Err(Error::Permission),
                    Content::Outcome(errno) => {
                        let text = refusal::text(request, errno);
                        report.failed.push(CommandError { index: before + at, command: command.clone(), errno, text });
                    }
                    Content::Overrun => return Err(Error::Overrun),
                    Content::Done(_) | Content::Data { .. } | Content::Noop => continue,
                }
                if message.sequence == last {
                    break 'answers;
                }
            }
        }
        report.done += commands.len() - (report.failed.len() - refused);
        Ok(())
    }

    fn send(&self, datagram: &[u8]) -> Result<(), Error> {
        loop {
            match self.socket.send(datagram, 0) {
                Ok(_) => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(socket_error("send")(e)),
            }
        }
    }

    /// Receives one datagram of the kernel into the buffer.
    fn receive(&mut self) -> Result<(), Error> {
        loop {
            self.buffer.clear();
            match self.socket.recv_from(&mut self.buffer, libc::MSG_TRUNC) {
                Ok((length, _)) if length > self.buffer.len() => {
                    let left = self.buffer.len();
                    return Err(Error::Decode(DecodeError::Length { what: "datagram", found: length, left }));
                }
                // Other processes may send to this socket as well; only the kernel has port 0.
                Ok((_, from)) if from.port_number() != 0 => {}
                Ok(_) => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Err(Error::NoAnswer),
                Err(e) if e.raw_os_error() == Some(libc::ENOBUFS) => return Err(Error::Overrun),
                Err(e) => return Err(socket_error("receive")(e)),
            }
        }
    }
}

fn socket_error(what: &'static str) -> impl Fn(io::Error) -> Error {
    move |source| Error::Socket { what, source }
}

/// Asks for the module as ipvsadm(8) does. Whether it helped, the next look for the family shows.
fn load_module() {
    let _ = std::process::Command::new("/sbin/modprobe")
        .args(["--", "ip_vs"])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status();
}
