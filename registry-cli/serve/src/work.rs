//! Blocking work, away from the threads that serve connections.

use tokio::task::JoinHandle;

use crate::problem::Problem;

/// Runs a blocking call to its end, even if nobody waits for it any more.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    finished(spawn(work)).await
}

/// Starts a blocking call.
pub(crate) fn spawn<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> JoinHandle<Result<T, Problem>> {
    tokio::task::spawn_blocking(work)
}

/// Waits for [`spawn`].
pub(crate) async fn finished<T>(work: JoinHandle<Result<T, Problem>>) -> Result<T, Problem> {
    work.await.map_err(|error| Problem::from(std::io::Error::other(error)))?
}
