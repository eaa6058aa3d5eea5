//! Sockets: accepting, serving HTTP/1 and HTTP/2 on them, and stopping.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::running::Running;
use crate::server::Server;

/// How long a shutdown waits for requests that are being answered.
const GRACE: Duration = Duration::from_secs(10);

/// How long a client may take to send the head of a request.
const HEAD: Duration = Duration::from_secs(30);

/// Serves `listener` on a task of its own.
pub(crate) fn start(listener: TcpListener, address: SocketAddr, server: Arc<Server>) -> Running {
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(serve(listener, Arc::clone(&server), stopped));
    Running { address, server, stop, task }
}

async fn serve(listener: TcpListener, server: Arc<Server>, mut stopped: watch::Receiver<bool>) {
    let graceful = GracefulShutdown::new();
    // Dropped with this task, and then all connections are.
    let mut connections = JoinSet::new();
    connections.spawn(expire(Arc::clone(&server)));
    loop {
        tokio::select! {
            // An error means that nobody can stop us but by dropping the task.
            _ = stopped.changed() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let connection = connection(stream, Arc::clone(&server), &graceful);
                    connections.spawn(connection);
                }
                Err(error) => {
                    // Out of file descriptors, mostly: others have to close first.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    // Whoever is not done by then is cut off.
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
}

fn connection(
    stream: TcpStream,
    server: Arc<Server>,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + use<> {
    // Without it small answers wait for the client's acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    builder.http2().timer(TokioTimer::new());
    let service = service_fn(move |request| {
        let server = Arc::clone(&server);
        async move { Ok::<_, Infallible>(server.respond(request).await) }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    let connection = graceful.watch(connection);
    async move {
        if let Err(error) = connection.await {
            tracing::debug!(error, "a connection ended early");
        }
    }
}

/// Ends abandoned uploads from time to time.
async fn expire(server: Arc<Server>) {
    let age = server.limits.upload_expiry;
    let every = (age / 4).clamp(Duration::from_millis(100), Duration::from_secs(3600));
    let mut ticks = tokio::time::interval(every);
    loop {
        ticks.tick().await;
        if server.sessions.expire(age).await.is_err() {
            tracing::warn!("abandoned uploads could not be removed");
        }
    }
}
