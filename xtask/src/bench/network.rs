//! A network on loopback: a TCP proxy that takes as long as a real way would, and counts connections.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// What the way is like, for each connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Way {
    /// From one end to the other and back. A new connection takes one such time before its first byte leaves.
    pub(crate) round_trip: Duration,
    /// Bytes a second in each direction; without a limit when `None`.
    pub(crate) rate: Option<u64>,
    /// After this many bytes from the server a connection is cut.
    pub(crate) cut: Option<u64>,
}

/// A running proxy in front of a server; dropping it ends all its connections.
#[derive(Debug)]
pub(crate) struct Network {
    // Dropped first: it ends the tasks.
    _runtime: Runtime,
    port: u16,
    connections: Arc<AtomicU32>,
}

/// Bytes that are under way, and when they arrive.
type Packet = (Instant, Bytes);

/// Packets under way in one direction of a connection: 16 MiB at most, more than any rate here has under way.
const IN_FLIGHT: usize = 256;
const PACKET: usize = 64 << 10;

impl Network {
    /// A way to the server at `target`.
    pub(crate) fn to(target: SocketAddr, way: Way) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .context("cannot start the network simulator")?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let port = listener.local_addr()?.port();
        let connections = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&connections);
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(connect(client, target, way));
            }
        });
        Ok(Self { _runtime: runtime, port, connections })
    }

    /// `127.0.0.1:PORT`, the near end.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Connections since the start.
    pub(crate) fn connections(&self) -> u32 {
        self.connections.load(Ordering::Relaxed)
    }
}

async fn connect(client: TcpStream, target: SocketAddr, way: Way) {
    let opened = Instant::now();
    let Ok(server) = TcpStream::connect(target).await else { return };
    // Packets leave when their time has come, not when more have joined them.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let handshake = opened + way.round_trip;
    let there = carry(from_client, to_server, Way { cut: None, ..way }, handshake);
    let back = carry(from_server, to_client, way, handshake);
    if way.cut.is_none() {
        tokio::join!(there, back);
    } else {
        // A cut ends both directions.
        tokio::select! {
            () = async { tokio::join!(there, std::future::pending::<()>()); } => {}
            () = back => {}
        }
    }
}

/// Carries bytes from one side to the other until one of them ends.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    way: Way,
    handshake: Instant,
) {
    let (sender, mut receiver) = mpsc::channel::<Packet>(IN_FLIGHT);
    let depart = async move {
        let mut line_free = handshake;
        let mut left = way.cut.unwrap_or(u64::MAX);
        let mut buffer = BytesMut::new();
        while left > 0 {
            buffer.reserve(PACKET);
            match from.read_buf(&mut buffer).await {
                Ok(1..) => {}
                _ => break,
            }
            let length = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let packet = buffer.split_to(length).freeze();
            left -= packet.len() as u64;
            // The line is busy until the packets before this one have left it.
            line_free = line_free.max(Instant::now());
            if let Some(rate) = way.rate {
                line_free +=
                    Duration::from_nanos(packet.len() as u64 * 1_000_000_000 / rate.max(1));
            }
            if sender.send((line_free + way.round_trip / 2, packet)).await.is_err() {
                break;
            }
        }
    };
    let arrive = async move {
        while let Some((at, packet)) = receiver.recv().await {
            sleep_until(at).await;
            if to.write_all(&packet).await.is_err() {
                break;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(depart, arrive);
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::thread;

    use tokio::io::duplex;

    use super::*;

    /// A server that answers one connection with everything that it reads.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).unwrap();
            stream.write_all(&all).unwrap();
        });
        address
    }

    fn exchange(network: &Network, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(network.host()).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut back = Vec::new();
        // A connection that was cut ends with an error or without one: both are its end.
        let _ = stream.read_to_end(&mut back);
        back
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_arrive_when_their_time_has_come() {
        // A packet of 64 KiB is on the line for 4 ms.
        let rate = Some(250 * PACKET as u64);
        let way = Way { round_trip: Duration::from_millis(40), rate, cut: None };
        let bytes: Vec<u8> = (0..1_u32 << 18).flat_map(u32::to_le_bytes).collect();
        let ((mut near, from), (to, mut far)) = (duplex(bytes.len()), duplex(bytes.len()));
        near.write_all(&bytes).await.unwrap();
        drop(near);
        let started = Instant::now();
        tokio::spawn(carry(from, to, way, started + way.round_trip));
        let mut arrived = vec![0; PACKET];
        far.read_exact(&mut arrived).await.unwrap();
        // A round trip for the connection, half of one for the way.
        assert_eq!(started.elapsed(), Duration::from_millis(40 + 20 + 4));
        far.read_to_end(&mut arrived).await.unwrap();
        assert_eq!(started.elapsed(), Duration::from_millis(40 + 20 + 16 * 4));
        assert!(arrived == bytes);
    }

    #[test]
    fn bytes_come_back_whole_over_one_connection() {
        let way = Way { round_trip: Duration::from_millis(2), ..Way::default() };
        let network = Network::to(echo(), way).unwrap();
        let bytes: Vec<u8> = (0..1_u32 << 18).flat_map(u32::to_le_bytes).collect();
        assert!(exchange(&network, &bytes) == bytes);
        assert_eq!(network.connections(), 1);
    }

    #[test]
    fn a_connection_is_cut_where_it_should_be() {
        let way = Way { cut: Some(1000), ..Way::default() };
        let network = Network::to(echo(), way).unwrap();
        assert_eq!(exchange(&network, &[7; 5000]), [7; 1000]);
    }
}
