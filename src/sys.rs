//! The only `unsafe` of the program, each block with the reason why it is sound: calls that no safe wrapper offers.
#![allow(unsafe_code)]

use std::io;

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
