//! Numbers of `linux/netlink.h`, `linux/genetlink.h` and `linux/ip_vs.h`, by their names there without the common prefix.

/// Name of the generic netlink family.
pub const FAMILY_NAME: &str = "IPVS";
/// Version that requests carry; the kernel does not look at it.
pub const FAMILY_VERSION: u8 = 1;

/// `NLMSG_*` and `NLM_F_*`.
pub mod nlmsg {
    /// Nothing to see.
    pub const NOOP: u16 = 1;
    /// Error, or with number 0 an acknowledgement.
    pub const ERROR: u16 = 2;
    /// End of a dump.
    pub const DONE: u16 = 3;
    /// Data was lost.
    pub const OVERRUN: u16 = 4;
    /// The family controller `nlctrl`.
    pub const GENL_ID_CTRL: u16 = 16;

    /// A request.
    pub const F_REQUEST: u16 = 0x01;
    /// Answer with an acknowledgement on success too.
    pub const F_ACK: u16 = 0x04;
    /// The answer names the request by its header alone.
    pub const F_CAPPED: u16 = 0x100;
    /// More messages of the same dump follow.
    pub const F_MULTI: u16 = 0x02;
    /// Dump everything.
    pub const F_DUMP: u16 = 0x300;
}

/// `CTRL_*`.
pub mod ctrl {
    /// `CTRL_CMD_NEWFAMILY`: the answer to GETFAMILY.
    pub const NEWFAMILY: u8 = 1;
    /// `CTRL_CMD_GETFAMILY`.
    pub const GETFAMILY: u8 = 3;
    /// `CTRL_ATTR_FAMILY_ID`, u16.
    pub const FAMILY_ID: u16 = 1;
    /// `CTRL_ATTR_FAMILY_NAME`, text.
    pub const FAMILY_NAME: u16 = 2;
    /// Version of the controller.
    pub const VERSION: u8 = 1;
}

/// `IPVS_CMD_*`.
pub mod cmd {
    #![allow(missing_docs)]
    pub const NEW_SERVICE: u8 = 1;
    pub const SET_SERVICE: u8 = 2;
    pub const DEL_SERVICE: u8 = 3;
    pub const GET_SERVICE: u8 = 4;
    pub const NEW_DEST: u8 = 5;
    pub const SET_DEST: u8 = 6;
    pub const DEL_DEST: u8 = 7;
    pub const GET_DEST: u8 = 8;
    pub const NEW_DAEMON: u8 = 9;
    pub const DEL_DAEMON: u8 = 10;
    pub const GET_DAEMON: u8 = 11;
    pub const SET_CONFIG: u8 = 12;
    pub const GET_CONFIG: u8 = 13;
    pub const SET_INFO: u8 = 14;
    pub const GET_INFO: u8 = 15;
    pub const ZERO: u8 = 16;
    pub const FLUSH: u8 = 17;
}

/// `IPVS_CMD_ATTR_*` and, in the answer to GET_INFO, `IPVS_INFO_ATTR_*`.
pub mod top {
    #![allow(missing_docs)]
    pub const SERVICE: u16 = 1;
    pub const DEST: u16 = 2;
    pub const DAEMON: u16 = 3;
    pub const TIMEOUT_TCP: u16 = 4;
    pub const TIMEOUT_TCP_FIN: u16 = 5;
    pub const TIMEOUT_UDP: u16 = 6;
    pub const INFO_VERSION: u16 = 1;
    pub const INFO_CONN_TAB_SIZE: u16 = 2;
}

/// `IPVS_SVC_ATTR_*`.
pub mod svc {
    #![allow(missing_docs)]
    pub const AF: u16 = 1;
    pub const PROTOCOL: u16 = 2;
    pub const ADDR: u16 = 3;
    pub const PORT: u16 = 4;
    pub const FWMARK: u16 = 5;
    pub const SCHED_NAME: u16 = 6;
    pub const FLAGS: u16 = 7;
    pub const TIMEOUT: u16 = 8;
    pub const NETMASK: u16 = 9;
    pub const STATS: u16 = 10;
    pub const PE_NAME: u16 = 11;
    pub const STATS64: u16 = 12;
    /// Flag `IP_VS_SVC_F_PERSISTENT`.
    pub const F_PERSISTENT: u32 = 0x01;
    /// Flag `IP_VS_SVC_F_HASHED`, set by the kernel.
    pub const F_HASHED: u32 = 0x02;
}

/// `IPVS_DEST_ATTR_*`.
pub mod dest {
    #![allow(missing_docs)]
    pub const ADDR: u16 = 1;
    pub const PORT: u16 = 2;
    pub const FWD_METHOD: u16 = 3;
    pub const WEIGHT: u16 = 4;
    pub const U_THRESH: u16 = 5;
    pub const L_THRESH: u16 = 6;
    pub const ACTIVE_CONNS: u16 = 7;
    pub const INACT_CONNS: u16 = 8;
    pub const PERSIST_CONNS: u16 = 9;
    pub const STATS: u16 = 10;
    pub const ADDR_FAMILY: u16 = 11;
    pub const STATS64: u16 = 12;
    pub const TUN_TYPE: u16 = 13;
    pub const TUN_PORT: u16 = 14;
    pub const TUN_FLAGS: u16 = 15;
    /// `IP_VS_CONN_F_FWD_MASK`.
    pub const FWD_MASK: u32 = 0x07;
}

/// `IPVS_STATS_ATTR_*`, of both widths.
pub mod stats {
    #![allow(missing_docs)]
    pub const CONNS: u16 = 1;
    pub const INPKTS: u16 = 2;
    pub const OUTPKTS: u16 = 3;
    pub const INBYTES: u16 = 4;
    pub const OUTBYTES: u16 = 5;
    pub const CPS: u16 = 6;
    pub const INPPS: u16 = 7;
    pub const OUTPPS: u16 = 8;
    pub const INBPS: u16 = 9;
    pub const OUTBPS: u16 = 10;
}

/// `IPVS_DAEMON_ATTR_*`.
pub mod daemon {
    #![allow(missing_docs)]
    pub const STATE: u16 = 1;
    pub const MCAST_IFN: u16 = 2;
    pub const SYNC_ID: u16 = 3;
    pub const SYNC_MAXLEN: u16 = 4;
    pub const MCAST_GROUP: u16 = 5;
    pub const MCAST_GROUP6: u16 = 6;
    pub const MCAST_PORT: u16 = 7;
    pub const MCAST_TTL: u16 = 8;
}

/// `AF_INET`.
pub const AF_INET: u16 = 2;
/// `AF_INET6`.
pub const AF_INET6: u16 = 10;
