//! The binary `registry`.

use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use registry_cli::{Exit, System};

/// What blocking file work that was interrupted may still take.
const GRACE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: cannot start: {error}");
            return Exit::Other.into();
        }
    };
    let exit = runtime.block_on(registry_cli::run(std::env::args_os(), System::current()));
    // Drops what an interruption left half done, so that it cleans up after itself.
    runtime.shutdown_timeout(GRACE);
    exit.into()
}
