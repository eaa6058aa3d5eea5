//! A proxy on loopback that does as it is told: HTTP `CONNECT` (RFC 9110, section 9.3.6), plain requests, and SOCKS5 (RFC 1928).

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::TcpStream;

use crate::background::Background;

/// What a proxy does with a connection.
#[derive(Clone, Debug)]
pub enum Conduct {
    /// Passes everything on to this server (`127.0.0.1:PORT`), whatever name it was asked for.
    Relay(String),
    /// The same, as a SOCKS5 server that wants a login.
    Socks(String),
    /// Answers this, such as `407 Proxy Authentication Required`.
    Answer(&'static str),
    /// Says nothing.
    Hang,
    /// Agrees to pass on, and closes the connection.
    CloseAfterConnect,
}

/// A running proxy; dropping it closes its port.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
    _running: Background,
}

impl Proxy {
    /// Starts one.
    pub fn start(conduct: Conduct) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let heard = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&heard);
        let running = Background::start("proxy", async move {
            let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
            while let Ok((stream, _)) = listener.accept().await {
                let (conduct, notes) = (conduct.clone(), Arc::clone(&notes));
                tokio::spawn(async move { serve(stream, conduct, &notes).await.ok() });
            }
        })?;
        Ok(Self { address, heard, _running: running })
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// What clients said to the proxy itself: the head of each request, or name, password and target of a SOCKS5 one.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    conduct: Conduct,
    heard: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let note = |text: String| heard.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    if let Conduct::Socks(server) = &conduct {
        note(socks(&mut stream).await?);
        return relay(stream, server, b"").await;
    }
    let head = head(&mut stream).await?;
    let connects = head.starts_with("CONNECT ");
    note(head.clone());
    match conduct {
        Conduct::Relay(server) if connects => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            relay(stream, &server, b"").await
        }
        Conduct::Relay(server) => relay(stream, &server, origin_form(&head).as_bytes()).await,
        Conduct::Answer(status) => {
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await
        }
        Conduct::CloseAfterConnect => stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await,
        Conduct::Hang | Conduct::Socks(_) => {
            let mut sink = [0; 1024];
            while stream.read(&mut sink).await? > 0 {}
            Ok(())
        }
    }
}

async fn relay(mut stream: TcpStream, server: &str, first: &[u8]) -> io::Result<()> {
    let mut behind = TcpStream::connect(server).await?;
    behind.write_all(first).await?;
    copy_bidirectional(&mut stream, &mut behind).await.map(drop)
}

/// The head of a request, at most 16 KiB of it.
async fn head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < 16 << 10 {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// A request to a proxy as its target wants it: with a path in place of a URL (RFC 9112, section 3.2), and without what is the
/// proxy's business.
fn origin_form(head: &str) -> String {
    let url = head.split(' ').nth(1).unwrap_or_default();
    let path = url.splitn(4, '/').nth(3).unwrap_or_default();
    let head = head.replacen(url, &format!("/{path}"), 1);
    let own = |line: &&str| !line.to_ascii_lowercase().starts_with("proxy-");
    head.split_inclusive("\r\n").filter(own).collect()
}

/// Name, password and target, once a client has said them.
async fn socks(stream: &mut TcpStream) -> io::Result<String> {
    async fn text(stream: &mut TcpStream) -> io::Result<String> {
        let length = stream.read_u8().await?;
        let mut bytes = vec![0; length.into()];
        stream.read_exact(&mut bytes).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
    let _version = stream.read_u8().await?;
    let _methods = text(stream).await?;
    // A name and a password, please (RFC 1929).
    stream.write_all(&[5, 2]).await?;
    let _version = stream.read_u8().await?;
    let (name, password) = (text(stream).await?, text(stream).await?);
    stream.write_all(&[1, 0]).await?;
    let mut request = [0; 4];
    stream.read_exact(&mut request).await?;
    let target = match request[3] {
        3 => text(stream).await?,
        1 => {
            let mut address = [0; 4];
            stream.read_exact(&mut address).await?;
            std::net::Ipv4Addr::from(address).to_string()
        }
        other => return Err(io::Error::other(format!("address type {other}"))),
    };
    let port = stream.read_u16().await?;
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    Ok(format!("{name} {password} {target}:{port}"))
}
