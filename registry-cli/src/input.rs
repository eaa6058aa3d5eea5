//! Standard input: what a run is told, and what it asks for.

use std::{
    io::{self, BufRead, BufReader, Read},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::oneshot;

use crate::failure::Failure;

/// Standard input. Clones read from the same one.
#[derive(Clone)]
pub(crate) struct Input {
    stream: Arc<Mutex<Box<dyn BufRead + Send>>>,
    terminal: bool,
}

/// Nobody's password is longer; a token may be.
const LONGEST: u64 = 64 << 10;

impl Input {
    /// The process's own.
    pub(crate) fn current() -> Self {
        let terminal = io::IsTerminal::is_terminal(&io::stdin());
        Self { terminal, ..Self::new(BufReader::new(io::stdin())) }
    }

    pub(crate) fn new(stream: impl BufRead + Send + 'static) -> Self {
        Self { stream: Arc::new(Mutex::new(Box::new(stream))), terminal: false }
    }

    /// Whether somebody types it.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Everything up to its end.
    pub(crate) async fn all(&self) -> Result<String, Failure> {
        self.read(|stream| {
            let mut text = String::new();
            stream.take(LONGEST).read_to_string(&mut text).map(|_| text)
        })
        .await
    }

    /// The next line, without its end.
    pub(crate) async fn line(&self) -> Result<String, Failure> {
        self.read(|stream| {
            let mut line = String::new();
            stream.take(LONGEST).read_line(&mut line)?;
            Ok(line.trim_end_matches(['\r', '\n']).to_owned())
        })
        .await
    }

    /// The same while nothing that is typed is shown.
    pub(crate) async fn hidden_line(&self) -> Result<String, Failure> {
        let _hidden = Hidden::new().map_err(|error| unreadable(&error))?;
        self.line().await
    }

    /// Reads on a thread of its own, which nobody waits for when the run is interrupted.
    async fn read(
        &self,
        read: impl FnOnce(&mut dyn BufRead) -> io::Result<String> + Send + 'static,
    ) -> Result<String, Failure> {
        let (sender, receiver) = oneshot::channel();
        let stream = Arc::clone(&self.stream);
        std::thread::spawn(move || {
            let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = sender.send(read(&mut **stream));
        });
        let read = receiver.await.unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()));
        read.map_err(|error| unreadable(&error))
    }
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::other(format!("cannot read standard input: {error}"))
}

/// The terminal does not show what is typed, until this is dropped.
#[cfg(unix)]
struct Hidden(rustix::termios::Termios);

#[cfg(unix)]
impl Hidden {
    fn new() -> io::Result<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        silent.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self(before))
    }
}

#[cfg(unix)]
impl Drop for Hidden {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

#[cfg(not(unix))]
struct Hidden;

#[cfg(not(unix))]
impl Hidden {
    fn new() -> io::Result<Self> {
        Err(io::Error::other("the password cannot be hidden here; use --password-stdin"))
    }
}
