//! Error numbers of `asm-generic/errno*.h` that IPVS and netlink answer with. The numbers above 34 differ on MIPS and SPARC.

#![allow(missing_docs)]

pub const EPERM: i32 = 1;
pub const ENOENT: i32 = 2;
pub const ESRCH: i32 = 3;
pub const EINTR: i32 = 4;
pub const EAGAIN: i32 = 11;
pub const ENOMEM: i32 = 12;
pub const EBUSY: i32 = 16;
pub const EEXIST: i32 = 17;
pub const ENODEV: i32 = 19;
pub const EINVAL: i32 = 22;
pub const ERANGE: i32 = 34;
pub const EMSGSIZE: i32 = 90;
pub const ENOPROTOOPT: i32 = 92;
pub const EOPNOTSUPP: i32 = 95;
pub const EAFNOSUPPORT: i32 = 97;
pub const ENOBUFS: i32 = 105;

/// Whether the request was not looked at, so that it may be sent again: the kernel was interrupted, or busy with another.
#[must_use]
pub fn is_transient(errno: i32) -> bool {
    matches!(errno, EINTR | EAGAIN | EBUSY)
}
