//! Registries that others wrote, started on a free loopback port for the time of a test.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::find;

/// How long a server may take to answer for the first time.
const PATIENCE: Duration = Duration::from_secs(20);

/// A registry program that can be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Debian's `docker-registry`, of the distribution project's second generation.
    DockerRegistry,
    /// `registry3`, of its third.
    Registry3,
    /// `zot`.
    Zot,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::DockerRegistry, Self::Registry3, Self::Zot];

    /// The program's name.
    pub fn program(self) -> &'static str {
        match self {
            Self::DockerRegistry => "docker-registry",
            Self::Registry3 => "registry3",
            Self::Zot => "zot",
        }
    }

    /// A configuration with deletes allowed, and Docker's schema 1 where the program knows it: the file's name and its text.
    fn configuration(self, port: u16, store: &Path) -> (&'static str, String) {
        let store = store.display();
        let old = match self {
            Self::DockerRegistry => "compatibility:\n  schema1:\n    enabled: true\n",
            _ => "",
        };
        match self {
            Self::DockerRegistry | Self::Registry3 => (
                "config.yml",
                format!(
                    "version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\n\
                     storage:\n  delete:\n    enabled: true\n  filesystem:\n    rootdirectory: {store}\n\
                     http:\n  addr: 127.0.0.1:{port}\n{old}"
                ),
            ),
            Self::Zot => (
                "config.json",
                format!(
                    r#"{{"storage":{{"rootDirectory":"{store}"}},"http":{{"address":"127.0.0.1","port":"{port}"}},"log":{{"level":"error"}}}}"#
                ),
            ),
        }
    }
}

/// A running registry; dropping it ends the process and removes its files.
#[derive(Debug)]
pub struct Server {
    child: Child,
    port: u16,
    files: tempfile::TempDir,
}

impl Server {
    /// Starts one, or says why not: the program is missing, or does not answer.
    pub fn start(kind: Kind) -> io::Result<Self> {
        let program = find(kind.program()).ok_or_else(|| {
            let text = format!("{} is neither in target/peers nor on PATH", kind.program());
            io::Error::new(io::ErrorKind::NotFound, text)
        })?;
        // Somebody else may take the port between here and the server's own bind: another one is tried then.
        let mut last = io::Error::other("never tried");
        for _ in 0..3 {
            match Self::start_once(kind, &program) {
                Ok(server) => return Ok(server),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn start_once(kind: Kind, program: &Path) -> io::Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let files = tempfile::tempdir()?;
        let (name, text) = kind.configuration(port, &files.path().join("store"));
        let config = files.path().join(name);
        fs::write(&config, text)?;
        let log = fs::File::create(files.path().join("log"))?;
        let child = Command::new(program)
            .arg("serve")
            .arg(&config)
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut server = Self { child, port, files };
        let started = Instant::now();
        while !server.answers() {
            let ended = server.child.try_wait()?;
            if ended.is_some() || started.elapsed() > PATIENCE {
                let log = fs::read_to_string(server.files.path().join("log")).unwrap_or_default();
                let text = format!("{} does not answer: {}", kind.program(), log.trim());
                return Err(io::Error::other(text));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn answers(&self) -> bool {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let asked = || -> io::Result<bool> {
            let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            write!(stream, "GET /v2/ HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
            let mut start = [0; 12];
            stream.read_exact(&mut start)?;
            Ok(start.starts_with(b"HTTP/1.1 200"))
        };
        asked().unwrap_or(false)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; either way nothing is left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
