//! What a client needs to reach a kernel: datagrams there and back. The socket is in `client::netlink`, a kernel for tests in
//! `fake`.

use std::io;

/// One netlink socket, of a kernel or of something that answers like one.
pub trait Transport: Sized {
    /// Another socket to the same kernel and network namespace.
    fn another(&self) -> io::Result<Self>;

    /// Hands one datagram to the kernel.
    fn send(&mut self, datagram: &[u8]) -> io::Result<()>;

    /// Replaces the content of `buffer` by the kernel's next datagram, as much of it as its capacity holds; the datagram's
    /// whole length in bytes. Errors: `WouldBlock` when the kernel has not answered in time, ENOBUFS when it had to drop
    /// answers.
    fn receive(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize>;

    /// Asks through the older interface (see [`super::wire::sockopt`]): `data` is the question, and the answer comes in its
    /// place. Errors: `Unsupported` where there is no such interface.
    fn get_option(&mut self, option: i32, data: &mut [u8]) -> io::Result<()> {
        let _ = (option, data);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Has the module `ip_vs` loaded, where that can be tried. Whether it helped, the next look for the family shows.
    fn load_module(&mut self) {}

    /// Lets a moment pass before something busy is asked again.
    fn pause(&mut self) {}
}
