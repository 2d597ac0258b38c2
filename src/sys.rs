//! The only `unsafe` of the program, each block with the reason why it is sound: calls that no safe wrapper offers.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd as _, BorrowedFd};

use nix::unistd::ForkResult;

/// Forks, if this process has a single thread; with more it refuses (`EBUSY`), since a lock that another thread holds
/// would stay locked in the child for ever.
pub fn fork() -> io::Result<ForkResult> {
    let threads = std::fs::read_dir("/proc/self/task")?.count();
    if threads != 1 {
        return Err(io::Error::from_raw_os_error(libc::EBUSY));
    }
    // SAFETY: the process has one thread, as just seen, so the child may go on using the allocator and all else.
    unsafe { nix::unistd::fork() }.map_err(io::Error::from)
}

/// Gives the calling thread the real-time policy SCHED_RR at `priority` (1 to 99); its children start with the normal
/// policy. Needs root or CAP_SYS_NICE (`EPERM`).
pub fn realtime_thread(priority: u8) -> io::Result<()> {
    let param = libc::sched_param { sched_priority: libc::c_int::from(priority) };
    // SAFETY: `param` is a valid sched_param that outlives the call; 0 names the calling thread.
    let done = unsafe { libc::sched_setscheduler(0, libc::SCHED_RR | libc::SCHED_RESET_ON_FORK, &raw const param) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The name of a host by the C library's sources (files, DNS and so on), if it has one. Blocks as long as they do.
#[must_use]
pub fn host_name(addr: IpAddr) -> Option<String> {
    let addr = socket2::SockAddr::from(SocketAddr::new(addr, 0));
    let mut name = [0u8; libc::NI_MAXHOST as usize];
    let room = libc::socklen_t::try_from(name.len()).ok()?;
    // SAFETY: the address is valid for its length, `name` for `room` bytes, and no service is asked for.
    let error = unsafe {
        libc::getnameinfo(
            addr.as_ptr().cast(),
            addr.len(),
            name.as_mut_ptr().cast(),
            room,
            std::ptr::null_mut(),
            0,
            libc::NI_NAMEREQD,
        )
    };
    let name = CStr::from_bytes_until_nul(&name).ok().filter(|_| error == 0)?;
    Some(name.to_string_lossy().into_owned())
}

/// `getsockopt` of the level of IP with a question in `data` and the answer in its place; how many bytes that has.
pub fn ip_option(socket: BorrowedFd<'_>, option: libc::c_int, data: &mut [u8]) -> io::Result<usize> {
    let mut length = libc::socklen_t::try_from(data.len()).map_err(io::Error::other)?;
    // SAFETY: `data` is valid for `length` bytes in both directions, and `length` outlives the call.
    let done =
        unsafe { libc::getsockopt(socket.as_raw_fd(), libc::IPPROTO_IP, option, data.as_mut_ptr().cast(), &raw mut length) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    usize::try_from(length).map_err(io::Error::other)
}

/// Lets the child of `command` run as this user, with exactly these groups.
pub fn become_user(
    command: &mut std::process::Command,
    uid: nix::unistd::Uid,
    gid: nix::unistd::Gid,
    groups: Vec<nix::unistd::Gid>,
) {
    use std::os::unix::process::CommandExt;
    let change = move || {
        nix::unistd::setgroups(&groups)?;
        nix::unistd::setgid(gid)?;
        nix::unistd::setuid(uid)?;
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes three system calls on values that were made before; it allocates
    // nothing and takes no lock.
    unsafe { command.pre_exec(change) };
}
