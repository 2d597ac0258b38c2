//! What a daemon does in detail, on standard error, for the one who watches it in the foreground: every check, every
//! exchange with the kernel, every script. The log proper (the originals' lines) does not come this way.

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// Names what is shown, as `tracing` filters are written: `lvs_ha::checks=debug,lvs_ha::ipvs=trace`.
pub const VARIABLE: &str = "LVS_HA_TRACE";

/// Shows details until the guard is dropped: those that [`VARIABLE`] names, else everything of level debug. Never blocks
/// who tells them: what standard error does not take is dropped. `None` if somebody shows them already, or if the filter is
/// wrong, which is said.
#[must_use]
pub fn to_stderr() -> Option<WorkerGuard> {
    let wanted = std::env::var(VARIABLE).unwrap_or_else(|_| "lvs_ha=debug".to_owned());
    let filter = match EnvFilter::try_new(&wanted) {
        Ok(filter) => filter,
        Err(error) => {
            eprintln!("{VARIABLE}={wanted}: {error}");
            return None;
        }
    };
    let (writer, guard) = NonBlockingBuilder::default().lossy(true).finish(std::io::stderr());
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(false).finish();
    tracing::subscriber::set_global_default(subscriber).ok().map(|()| guard)
}
