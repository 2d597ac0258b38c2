//! lvs-ha: a pair of Linux machines as a load balancer that does not go down.
//!
//! | module | owns | may import |
//! |---|---|---|
//! | [`config`] | text of the files -> typed models -> `Settings` and `Plan`; only `config::load` reads disk | pure modules |
//! | [`ipvs`] | the kernel's virtual server table: model, difference, netlink messages; `ipvs::client` is the socket | - |
//! | [`cluster`] | the heartbeat node as a state machine: packets and time in, packets, actions and events out | `config::{settings,digest}` |
//! | [`director`] | the load balancer as a state machine: verdicts and time in, checks and the desired table out | `config`, `ipvs::model`, `checks::spec`, `cluster::io::Mono`, `status::snapshot` |
//! | [`checks`] | what one health check is (`spec`) and how it is run | `config::pattern`, `errors` |
//! | [`agents`] | resource scripts and built-in resources: start, stop, status of one resource group | `net`, `state`, `config::haresources` |
//! | [`net`] | addresses of this host and their announcement | - |
//! | [`media`] | heartbeat links: bytes in, bytes out, no meaning | `config::settings`, `cluster::wire` (a serial line's framing) |
//! | [`control`] | the control socket: requests and answers as JSON lines | `status::snapshot` |
//! | [`status`] | what a daemon tells about itself, as plain data, and its rendering | - |
//! | [`state`] | what must survive a restart: generation, uuid, the record of what is ours | - |
//! | [`log`] | log files and syslog, never blocking | `cluster::io`, `config::settings` |
//! | [`daemon`] | composition: clock, sockets, tasks, signals | everything |
//! | [`cli`] | one folder a command, and the dispatch on the command's name | everything |
//! | [`errors`] | an error and its causes on one line | - |
//! | [`sys`] | the only `unsafe` | - |
//!
//! **Pure** (no socket, file, task, clock, global or random number; held by `tests/purity.rs`): `config` except
//! `load`, `ipvs` except `client` and `proc_sys`, `cluster`, `director`, `checks::{spec,answer}`,
//! `agents::{action,respawn,watch}`, `control::proto`, `status`, `cli::*::{args,render}`. Pure imports only pure; leaves with
//! effects import pure and never each other (but `agents::builtin` uses `net` and `state`); only `daemon` and `cli` know both sides.

pub mod agents;
pub mod checks;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod control;
pub mod daemon;
pub mod director;
pub mod errors;
pub mod ipvs;
pub mod log;
pub mod media;
pub mod net;
pub mod state;
pub mod status;
pub mod sys;
