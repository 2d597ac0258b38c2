//! The executable: everything is in the library; see `cli::dispatch`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lvs_ha::cli::dispatch(std::env::args_os())
}
