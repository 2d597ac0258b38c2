//! The netlink socket of the running kernel.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_GENERIC};
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, setsockopt, sockopt};
use nix::sys::time::TimeVal;

use super::{ANSWER_TIMEOUT, Error, socket_error};
use crate::ipvs::transport::Transport;

/// Socket buffers, bytes. A refusal takes about 800 bytes of kernel memory, a whole batch of them fits.
const SOCKET_BUFFER: usize = 1 << 20;
/// Before something that the kernel was too busy for is asked again.
const PAUSE: Duration = Duration::from_millis(10);

/// A blocking generic netlink socket. It acts on the network namespace in which it was opened, whoever uses it later.
pub struct Netlink {
    socket: Socket,
    /// For the older interface, which any IPv4 socket has; it is bound to nothing. `None`: a kernel without IPv4.
    older: Option<OwnedFd>,
    /// Where it was opened, if not in the namespace of this process.
    namespace: Option<PathBuf>,
}

impl std::fmt::Debug for Netlink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Netlink").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl Netlink {
    /// Opens a socket in the caller's network namespace.
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
        let older = nix::sys::socket::socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None).ok();
        Ok(Self { socket, older, namespace: None })
    }

    /// Opens a socket in the network namespace that the file stands for, such as `/run/netns/NAME` or `/proc/PID/ns/net`.
    /// The caller stays in its own.
    pub fn open_in(namespace: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Namespace { path: namespace.to_owned(), source };
        let file = File::open(namespace).map_err(failed)?;
        // A namespace belongs to a thread: one of its own may go there.
        let there = std::thread::Builder::new().name("netns".to_owned()).spawn(move || {
            setns(&file, CloneFlags::CLONE_NEWNET).map_err(io::Error::from)?;
            Ok(Self::open())
        });
        match there.map_err(failed)?.join() {
            Ok(Ok(opened)) => opened.map(|netlink| Self { namespace: Some(namespace.to_owned()), ..netlink }),
            Ok(Err(source)) => Err(failed(source)),
            Err(_) => Err(failed(io::Error::other("the thread that went there died"))),
        }
    }
}

impl Transport for Netlink {
    fn another(&self) -> io::Result<Self> {
        let opened = self.namespace.as_deref().map_or_else(Self::open, Self::open_in);
        opened.map_err(io::Error::other)
    }

    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.socket.send(datagram, 0).map(drop)
    }

    fn receive(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        loop {
            buffer.clear();
            let (length, from) = self.socket.recv_from(buffer, libc::MSG_TRUNC)?;
            // Other processes may send to this socket as well; only the kernel has port 0.
            if from.port_number() == 0 {
                return Ok(length);
            }
        }
    }

    fn get_option(&mut self, option: i32, data: &mut [u8]) -> io::Result<()> {
        let socket = self.older.as_ref().ok_or(io::ErrorKind::Unsupported)?;
        crate::sys::ip_option(socket.as_fd(), option, data).map(drop)
    }

    /// Asks for the module as ipvsadm(8) does.
    fn load_module(&mut self) {
        let mut modprobe = Command::new("/sbin/modprobe");
        modprobe.args(["--", "ip_vs"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let _ = modprobe.status();
    }

    fn pause(&mut self) {
        std::thread::sleep(PAUSE);
    }
}
