//! Resources: what one is asked to do (`action`), what runs it (`lookup`), how a script is run (`exec`), a whole group
//! (`haresources`), those that need no script (`builtin`), what follows when one dies (`watch`), and whether a watched program
//! is started again (`respawn`).
//!
//! Which node holds which group is decided elsewhere; here a group is started or stopped, and told how that went.

pub mod action;
pub mod builtin;
pub mod exec;
pub mod haresources;
pub mod lookup;
pub mod respawn;
pub mod watch;

use crate::cluster::io::Level;

/// Where log lines go: level and text. It must not wait.
pub type Tell = std::sync::Arc<dyn Fn(Level, &str) + Send + Sync>;
