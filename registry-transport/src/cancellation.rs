//! A signal that work is no longer wanted.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, select};
use tokio::sync::watch;

/// Ends work from outside: once cancelled, always cancelled, for all clones.
///
/// A [`Transport`](crate::Transport) that [watches](crate::Transport::with_cancellation) one ends its sends, its waits and
/// the bodies of its answers with [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled).
///
/// ```
/// use registry_transport::{Cancellation, ErrorKind, Method, Request, Transport};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cancellation = Cancellation::new();
/// let transport = Transport::builder().build()?.with_cancellation(&cancellation);
///
/// cancellation.cancel(); // from a signal handler, or another task
///
/// let request = Request::new(Method::GET, &"registry.example".parse()?, "/v2/");
/// let error = transport.send(request).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Cancelled);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Cancellation(Arc<watch::Sender<bool>>);

impl Default for Cancellation {
    fn default() -> Self {
        Self::new()
    }
}

impl Cancellation {
    /// Nothing is cancelled yet.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Ends everything that watches this.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is cancelled.
    pub async fn cancelled(&self) {
        // It fails only when the sender is gone, and that is us.
        let _ = self.0.subscribe().wait_for(|cancelled| *cancelled).await;
    }

    /// Runs `future` to its end, or drops it once this is cancelled: then `None`.
    pub async fn run_until_cancelled<F: Future>(&self, future: F) -> Option<F::Output> {
        match select(pin!(self.cancelled()), pin!(future)).await {
            Either::Left(_) => None,
            Either::Right((output, _)) => Some(output),
        }
    }
}
