//! What the stores of this machine share: reading files that others wrote, and writing files so
//! that nothing half-written is ever at a final path.

mod assembly;
pub(crate) mod draft;
mod feed;
pub(crate) mod listing;
pub(crate) mod names;
pub(crate) mod pace;
pub(crate) mod partial;
pub(crate) mod pour;
mod ranges;
pub(crate) mod read;
pub(crate) mod save;
mod spans;

use std::io;

use crate::Error;

/// The largest `index.json`, `manifest.json` or manifest that is read into memory.
pub(crate) const MAX_DOCUMENT: u64 = 4 * 1024 * 1024;

/// Starts work that waits for a disk, where it holds nobody up.
pub(crate) fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> impl Future<Output = Result<T, Error>> + Send {
    let task = tokio::task::spawn_blocking(work);
    async {
        match task.await {
            Ok(result) => result,
            Err(broken) => match broken.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(cancelled) => Err(Error::local("work on", ".")(io::Error::other(cancelled))),
            },
        }
    }
}

/// Refuses a document that is larger than any honest one of its kind.
pub(crate) fn check_size(
    size: u64,
    limit: u64,
    what: impl FnOnce() -> String,
) -> Result<(), Error> {
    if size > limit {
        return Err(Error::Limit { what: what(), limit: format!("{} MiB", limit >> 20) });
    }
    Ok(())
}
