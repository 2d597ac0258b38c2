//! The kernel's table of virtual services, as a library: nothing here knows why a weight changes.
//!
//! | module | owns |
//! |---|---|
//! | [`model`] | what a table is: services, real servers, daemons, timeouts; identity apart from observation |
//! | [`diff`] | how to get from one table to another with the fewest commands |
//! | [`transaction`] | how to take commands back when the kernel refuses one |
//! | [`wire`] | how requests and answers look on generic netlink, and the older way to ask |
//! | [`refusal`], [`errno`] | what the kernel's error numbers mean |
//! | [`client`] | the conversation, and the socket of the running kernel |
//! | [`transport`], [`fake`] | what a client needs of a kernel, and a kernel for tests |
//! | [`explain`] | who gets a packet, who not, and why |
//! | [`sysctl`], [`proc_sys`] | a director's settings, and their reading and writing |
//!
//! ```no_run
//! use lvs_ha::ipvs::client::Client;
//!
//! let mut client = Client::open()?; // needs CAP_NET_ADMIN
//! for entry in client.dump()? {
//!     println!("{} by {}: {} real servers", entry.service.key, entry.service.scheduler, entry.dests.len());
//! }
//! # Ok::<(), lvs_ha::ipvs::client::Error>(())
//! ```

pub mod client;
pub mod diff;
pub mod errno;
pub mod explain;
pub mod fake;
pub mod model;
pub mod proc_sys;
pub mod refusal;
pub mod sysctl;
pub mod transaction;
pub mod transport;
pub mod wire;
