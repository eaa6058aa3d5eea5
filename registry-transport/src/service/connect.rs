//! Counts connections: what lies around reqwest's own connector.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use tower_layer::Layer;
use tower_service::Service;

use crate::event::Tally;

/// Counts each connection that stands, TLS and proxies included.
#[derive(Clone)]
pub(super) struct Counted<S = ()> {
    tally: Arc<Tally>,
    inner: S,
}

impl Counted {
    pub(super) fn new(tally: &Arc<Tally>) -> Self {
        Self { tally: Arc::clone(tally), inner: () }
    }
}

impl<S> Layer<S> for Counted {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { tally: Arc::clone(&self.tally), inner }
    }
}

impl<S, R> Service<R> for Counted<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
    S::Response: 'static,
    S::Error: 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, to: R) -> Self::Future {
        let tally = Arc::clone(&self.tally);
        let connecting = self.inner.call(to);
        Box::pin(async move {
            let connection = connecting.await?;
            Tally::add(&tally.connections, 1);
            Ok(connection)
        })
    }
}
