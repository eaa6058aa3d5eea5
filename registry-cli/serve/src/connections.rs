//! Sockets: accepting, serving HTTP/1 and HTTP/2 on them, and stopping.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::JoinSet;
#[cfg(feature = "tls")]
use tokio_rustls::server::TlsStream;

use crate::garbage::Collected;
use crate::running::Running;
use crate::server::Server;
#[cfg(feature = "tls")]
use crate::tls::Acceptor;

/// How long a shutdown waits for requests that are being answered.
const GRACE: Duration = Duration::from_secs(10);

/// How long a client may take to send the head of a request.
const HEAD: Duration = Duration::from_secs(30);

/// Requests at the same time on one connection of HTTP/2.
const STREAMS: u32 = 64;

/// How a connection begins.
#[derive(Clone, Debug)]
pub(crate) enum Door {
    Plain,
    #[cfg(feature = "tls")]
    Tls(Acceptor),
}

impl Door {
    pub(crate) fn scheme(&self) -> &'static str {
        match self {
            Self::Plain => "http",
            #[cfg(feature = "tls")]
            Self::Tls(_) => "https",
        }
    }

    fn ca(&self) -> Option<String> {
        match self {
            Self::Plain => None,
            #[cfg(feature = "tls")]
            Self::Tls(acceptor) => acceptor.ca.clone(),
        }
    }
}

/// Serves `listener` on a task of its own.
pub(crate) fn start(
    listener: TcpListener,
    address: SocketAddr,
    server: Arc<Server>,
    door: Door,
) -> Running {
    let (stop, stopped) = watch::channel(false);
    let (secure, ca) = (door.scheme() == "https", door.ca());
    let task = tokio::spawn(serve(listener, Arc::clone(&server), door, stopped));
    Running { address, server, stop, task, secure, ca }
}

async fn serve(
    listener: TcpListener,
    server: Arc<Server>,
    door: Door,
    mut stopped: watch::Receiver<bool>,
) {
    let graceful = GracefulShutdown::new();
    // Dropped with this task, and then all connections are.
    let mut connections = JoinSet::new();
    connections.spawn(expire(Arc::clone(&server)));
    connections.spawn(collect(Arc::clone(&server)));
    loop {
        tokio::select! {
            // An error means that nobody can stop us but by dropping the task.
            _ = stopped.changed() => break,
            accepted = accept(&listener, &server) => match accepted {
                Ok((stream, client, room)) => {
                    // Without it small answers wait for the acknowledgement of the one before.
                    let _ = stream.set_nodelay(true);
                    let (server, watcher) = (Arc::clone(&server), graceful.watcher());
                    let door = door.clone();
                    #[cfg(feature = "tls")]
                    let stopped = stopped.clone();
                    connections.spawn(async move {
                        match door {
                            Door::Plain => converse(stream, client, server, watcher).await,
                            #[cfg(feature = "tls")]
                            Door::Tls(acceptor) => {
                                if let Some(stream) = greet(&acceptor, stream, stopped).await {
                                    converse(stream, client, server, watcher).await;
                                }
                            }
                        }
                        drop(room);
                    });
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

/// The next connection, once there is room for it; until then clients wait in the system's queue.
async fn accept(
    listener: &TcpListener,
    server: &Server,
) -> io::Result<(TcpStream, IpAddr, OwnedSemaphorePermit)> {
    let room = Arc::clone(&server.room).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, client) = listener.accept().await?;
    Ok((stream, client.ip().to_canonical(), room))
}

/// The TLS handshake; `None`: it failed, took too long, or the registry stops.
#[cfg(feature = "tls")]
async fn greet(
    acceptor: &Acceptor,
    stream: TcpStream,
    mut stopped: watch::Receiver<bool>,
) -> Option<TlsStream<TcpStream>> {
    tokio::select! {
        _ = stopped.changed() => None,
        greeted = tokio::time::timeout(HEAD, acceptor.tls.accept(stream)) => match greeted.ok()? {
            Ok(stream) => Some(stream),
            Err(error) => {
                tracing::debug!(%error, "a TLS handshake failed");
                None
            }
        }
    }
}

async fn converse<S>(stream: S, client: IpAddr, server: Arc<Server>, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    let headers = u32::try_from(server.limits.headers).unwrap_or(u32::MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        // Also for a connection that the client has forgotten.
        .keep_alive_interval(HEAD)
        .max_header_list_size(headers)
        .max_concurrent_streams(STREAMS);
    let service = service_fn(move |request| {
        let server = Arc::clone(&server);
        async move { Ok::<_, Infallible>(server.respond(request, client).await) }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(error, "a connection ended early");
    }
}

/// Removes blobs without a manifest, if that was asked for.
async fn collect(server: Arc<Server>) {
    let Some(older_than) = server.limits.garbage else { return };
    let mut ticks = tokio::time::interval(Duration::from_secs(3600));
    loop {
        ticks.tick().await;
        if let Ok(Collected { blobs, bytes, .. }) = server.collect_garbage(older_than).await {
            tracing::info!(blobs, bytes, "blobs without a manifest were removed");
        } else {
            tracing::warn!("blobs without a manifest could not be removed");
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
