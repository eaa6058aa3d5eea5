//! Runs a program that answers with a secret, and ends it.

use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::pin;
use std::process::Stdio;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use zeroize::Zeroizing;

use crate::environment::Environment;
use crate::error::{Error, ErrorKind};

/// How long a program may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes that a program may answer.
const MOST_OUTPUT: usize = 64 * 1024;

/// How long a program's own children may keep its output open after it has ended.
const LINGER: Duration = Duration::from_millis(500);

pub(crate) struct Answer {
    pub(crate) success: bool,
    pub(crate) status: String,
    pub(crate) output: Zeroizing<Vec<u8>>,
}

/// An executable.
pub(crate) struct Program(PathBuf);

impl Program {
    /// Looks in the absolute directories of `PATH` only: a relative one would run whatever lies in the
    /// directory that somebody happens to be in.
    pub(crate) fn find(name: &str, environment: &Environment) -> Option<Self> {
        let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        std::env::split_paths(environment.get("PATH")?)
            .filter(|directory| directory.is_absolute())
            .map(|directory| directory.join(&file))
            .find(|path| path.is_file())
            .map(Self)
    }

    pub(crate) async fn run(
        &self,
        name: &str,
        arguments: &[&str],
        input: &[u8],
        environment: &Environment,
        patience: Duration,
    ) -> Result<Answer, Error> {
        let mut command = Command::new(&self.0);
        command
            .args(arguments)
            .env_clear()
            .envs(environment.variables())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // What it says there may be a secret, too.
            .stderr(Stdio::null())
            .kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let error = |what: &'static str| Error::new(ErrorKind::Helper, name, what);
        let child = command.spawn().map_err(|cause| error("cannot be started").because(cause))?;
        let mut running = Running(child);
        match tokio::time::timeout(patience, running.talk(input)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Broken::TooMuch)) => Err(error("answered more than 64 KiB")),
            Ok(Err(Broken::Io(cause))) => Err(error("cannot be talked to").because(cause)),
            Err(_) => Err(Error::new(
                ErrorKind::HelperTimeout,
                name,
                format!("did not answer within {} seconds and was ended", patience.as_secs_f32()),
            )
            .with_hint("it may be waiting for a password that it cannot ask for here")),
        }
    }
}

enum Broken {
    TooMuch,
    Io(std::io::Error),
}

/// A program that is killed with all its children when nobody waits for it any more.
struct Running(Child);

impl Running {
    async fn talk(&mut self, input: &[u8]) -> Result<Answer, Broken> {
        let mut output = Zeroizing::new(Vec::new());
        let stdin = self.0.stdin.take();
        let stdout = self.0.stdout.take();
        let status = {
            let mut exchange = pin!(exchange(stdin, input, stdout, &mut output));
            let mut end = pin!(self.0.wait());
            let mut heard = None;
            let status = poll_fn(|context| {
                if heard.is_none()
                    && let Poll::Ready(result) = exchange.as_mut().poll(context)
                    && heard.insert(result).is_err()
                {
                    return Poll::Ready(None);
                }
                end.as_mut().poll(context).map(Some)
            })
            .await;
            match heard {
                Some(result) => result?,
                // Its children may hold the pipe open; what it said itself is in there already.
                None => tokio::time::timeout(LINGER, exchange).await.unwrap_or(Ok(()))?,
            }
            status
        };
        match status {
            Some(Ok(status)) => {
                Ok(Answer { success: status.success(), status: status.to_string(), output })
            }
            Some(Err(cause)) => Err(Broken::Io(cause)),
            None => Err(Broken::TooMuch),
        }
    }
}

/// Writes the input and reads the output at once: either side may fill its pipe first.
async fn exchange(
    stdin: Option<ChildStdin>,
    input: &[u8],
    stdout: Option<ChildStdout>,
    output: &mut Vec<u8>,
) -> Result<(), Broken> {
    let mut asking = pin!(async move {
        if let Some(mut stdin) = stdin {
            // A helper that does not read its input may still answer.
            let _ = stdin.write_all(input).await;
        }
    });
    let mut asked = false;
    let mut listening = pin!(read(stdout, output));
    poll_fn(|context| {
        asked = asked || asking.as_mut().poll(context).is_ready();
        listening.as_mut().poll(context)
    })
    .await
}

async fn read(stdout: Option<ChildStdout>, output: &mut Vec<u8>) -> Result<(), Broken> {
    let Some(mut stdout) = stdout else { return Ok(()) };
    // Never grows: a reallocation would leave a copy of a secret behind.
    output.reserve_exact(MOST_OUTPUT + 1);
    loop {
        let room = MOST_OUTPUT + 1 - output.len();
        if room == 0 {
            return Err(Broken::TooMuch);
        }
        let mut limited = (&mut stdout).take(room as u64);
        if limited.read_buf(output).await.map_err(Broken::Io)? == 0 {
            return Ok(());
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // `id` is gone once the process has been waited for: its number may belong to another one.
        #[cfg(unix)]
        if let Some(pid) = self.0.id()
            && let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw)
        {
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
        #[cfg(not(unix))]
        let _ = self.0.start_kill();
    }
}
