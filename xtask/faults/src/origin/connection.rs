//! Plays one connection: read a request, ask for the reply, write it as the script wants it, end as the script wants it.

use std::io;
use std::net::TcpListener;
use std::time::Instant;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Origin;
use super::reply::{Answer, End, Reply, Wire};
use super::request::Reader;

/// How much of an endless body is sent before the origin gives up itself.
const ENDLESS_LIMIT: u64 = 256 * 1024 * 1024;

const CHUNK: usize = 16 * 1024;

/// Accepts until the runtime goes away.
pub(super) async fn accept(listener: TcpListener, origin: Origin) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    while let Ok((stream, _)) = listener.accept().await {
        // What goes wrong on a connection is the client's doing or the script's: the log tells.
        let origin = origin.clone();
        tokio::spawn(async move { play(stream, &origin).await.ok() });
    }
}

async fn play(mut stream: TcpStream, origin: &Origin) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let peer = stream.peer_addr().ok();
    let mut reader = Reader::new();
    while let Some(mut request) = reader.head(&mut stream).await? {
        let at = Instant::now();
        request.peer = peer;
        let Some((reply, names)) = origin.choose(&request) else {
            return stream.set_zero_linger();
        };
        let read = reader.body(&mut stream, &mut request, reply.reads).await;
        if let Err(error) = read {
            origin.note(&request, at, 0);
            return Err(error);
        }
        let honest =
            if reply.is_of_registry() { origin.honest(&request) } else { Answer::default() };
        let wire = reply.render(&request, honest, &names);
        let index = origin.note(&request, at, if reply.unsaid { 0 } else { wire.status });
        if !reply.unsaid {
            write(&mut stream, origin, index, &reply, wire).await?;
        }
        match reply.end {
            End::KeepAlive if request.body_complete && !request.is_last() => {}
            End::KeepAlive | End::Fin => return finish(stream).await,
            End::Rst => return stream.set_zero_linger(),
            End::Hold => return hold(stream).await,
            End::Stall => {
                std::future::pending::<()>().await;
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Says that nothing more comes, and lets the client read what was sent: closing with unread input would reset the connection.
async fn finish(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    hold(stream).await
}

async fn hold(mut stream: TcpStream) -> io::Result<()> {
    let mut sink = vec![0; CHUNK];
    while stream.read(&mut sink).await? > 0 {}
    Ok(())
}

async fn write(
    stream: &mut TcpStream,
    origin: &Origin,
    index: usize,
    reply: &Reply,
    wire: Wire,
) -> io::Result<()> {
    let mut left = reply.cut.unwrap_or(u64::MAX).min(wire.size.unwrap_or(u64::MAX));
    let limit = wire.size.unwrap_or(ENDLESS_LIMIT);
    let mut body = wire.body;
    // Small answers leave in one segment, as from any server.
    if reply.pace.is_none() && !wire.chunked && wire.unit.is_none() && body.len() <= CHUNK {
        let length = body.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let mut whole = wire.head;
        whole.extend_from_slice(body.get(..length).unwrap_or_default());
        origin.note_sent(index, length as u64);
        stream.write_all(&whole).await?;
        return stream.flush().await;
    }
    stream.write_all(&wire.head).await?;
    let (size, pause) = reply.pace.map_or((CHUNK, None), |(size, every)| (size, Some(every)));
    let mut total = 0;
    while left > 0 && total < limit {
        if body.is_empty() {
            match &wire.unit {
                Some(unit) => body = repeated(unit),
                None => break,
            }
        }
        let take = size.min(body.len()).min(usize::try_from(left).unwrap_or(usize::MAX));
        let piece = body.split_to(take);
        send(stream, &piece, wire.chunked).await?;
        origin.note_sent(index, take as u64);
        left -= take as u64;
        total += take as u64;
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
    }
    if wire.chunked && left > 0 && total < limit {
        stream.write_all(b"0\r\n\r\n").await?;
    }
    stream.flush().await
}

async fn send(stream: &mut TcpStream, piece: &Bytes, chunked: bool) -> io::Result<()> {
    if chunked {
        stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await?;
    }
    stream.write_all(piece).await?;
    if chunked {
        stream.write_all(b"\r\n").await?;
    }
    Ok(())
}

fn repeated(unit: &Bytes) -> Bytes {
    let unit = if unit.is_empty() { &b"\0"[..] } else { unit };
    unit.repeat((CHUNK / unit.len()).max(1)).into()
}
