//! What a command needs of the process around it, as a value.

use std::{
    fmt, io,
    io::{IsTerminal as _, Write},
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use registry_authn::Environment;

use crate::{Exit, input::Input};

/// The surroundings of a run: environment, streams, and the wish to stop.
pub struct System {
    pub(crate) environment: Environment,
    /// What the system's configuration files are below; without it only the user's are read.
    pub(crate) root: Option<PathBuf>,
    pub(crate) input: Input,
    pub(crate) stdout: Box<dyn Write + Send>,
    pub(crate) stderr: Box<dyn Write + Send>,
    /// Whether standard error can replace a line.
    pub(crate) terminal: bool,
    pub(crate) stop: Pin<Box<dyn Future<Output = Exit> + Send>>,
}

/// What a run wrote, kept in memory. Clones share it.
#[derive(Clone, Default)]
pub struct Captured {
    stdout: Arc<Mutex<Vec<u8>>>,
    stderr: Arc<Mutex<Vec<u8>>>,
}

impl System {
    /// The surroundings of this process, read once. Ctrl-C and a request to terminate stop a run.
    pub fn current() -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            environment: Environment::current(),
            root: Some(PathBuf::from("/")),
            input: Input::current(),
            stdout: Box::new(io::stdout()),
            stderr: Box::new(io::stderr()),
            terminal: io::stderr().is_terminal() && !dumb,
            stop: Box::pin(stop_signal()),
        }
    }

    /// Surroundings that keep what is written, and that never ask a run to stop. The system's configuration files are not
    /// read; those that the environment leads to are.
    pub fn captured(environment: Environment) -> (Self, Captured) {
        let captured = Captured::default();
        let system = Self {
            environment,
            root: None,
            input: Input::new(io::empty()),
            stdout: captured.out(),
            stderr: captured.err(),
            terminal: false,
            stop: Box::pin(std::future::pending()),
        };
        (system, captured)
    }

    /// The system's configuration files are below this directory, as `etc/containers/registries.conf`.
    #[must_use]
    pub fn root(mut self, directory: impl Into<PathBuf>) -> Self {
        self.root = Some(directory.into());
        self
    }

    /// What a run reads from standard input; nothing unless set.
    #[must_use]
    pub fn stdin(mut self, stream: impl io::BufRead + Send + 'static) -> Self {
        self.input = Input::new(stream);
        self
    }

    /// A run stops when this is done, as by Ctrl-C.
    #[must_use]
    pub fn stop_when(mut self, stop: impl Future<Output = ()> + Send + 'static) -> Self {
        self.stop = Box::pin(async {
            stop.await;
            Exit::Interrupted
        });
        self
    }
}

impl Captured {
    /// The data that was written so far.
    pub fn stdout(&self) -> Vec<u8> {
        self.stdout.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The talk that was written so far.
    pub fn stderr(&self) -> String {
        let stderr = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&stderr).into_owned()
    }

    pub(crate) fn out(&self) -> Box<dyn Write + Send> {
        Box::new(Kept(Arc::clone(&self.stdout)))
    }

    pub(crate) fn err(&self) -> Box<dyn Write + Send> {
        Box::new(Kept(Arc::clone(&self.stderr)))
    }
}

/// Done when the process is asked to stop; with what it ends then.
async fn stop_signal() -> Exit {
    let ctrl_c = async {
        // Without a handler the default stands: the signal ends the process.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            return tokio::select! {
                () = ctrl_c => Exit::Interrupted,
                _ = terminate.recv() => Exit::Terminated,
            };
        }
    }
    ctrl_c.await;
    Exit::Interrupted
}

struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("System")
            .field("environment", &self.environment)
            .field("root", &self.root)
            .field("terminal", &self.terminal)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stdout = self.stdout();
        f.debug_struct("Captured")
            .field("stdout", &String::from_utf8_lossy(&stdout))
            .field("stderr", &self.stderr())
            .finish()
    }
}
