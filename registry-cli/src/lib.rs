#![doc = include_str!("../README.md")]

/// The example of the workspace's own README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct WorkspaceReadme;

mod along;
mod args;
mod console;
mod exit;
mod failure;
mod files;
mod image;
mod input;
mod place;
mod progress;
mod realms;
mod session;
mod stores;
mod system;
mod transfer;
mod verbs;

use std::ffi::OsString;

use clap::error::ContextValue;
use registry_name::without_password;

use self::{
    args::Arguments,
    console::Console,
    session::{Session, Surroundings},
};
pub use self::{
    exit::Exit,
    system::{Captured, System},
};

/// Runs the command line `arguments`, the program's name first, and says how it ended.
///
/// Results go to the system's standard output, everything else to its standard error. Nothing
/// else of the process is touched, except that `--verbose` sets the global `tracing` subscriber
/// where there is none yet.
pub async fn run<A: Into<OsString> + Clone>(
    arguments: impl IntoIterator<Item = A>,
    system: System,
) -> Exit {
    let console = Console::new(system.stdout, system.stderr);
    let Arguments { global, command } = match Arguments::of(arguments) {
        Ok(arguments) => arguments,
        Err(refusal) => return explain(&console, refusal),
    };
    if global.verbose {
        log_to(&console);
    }
    let surroundings = Surroundings {
        environment: system.environment,
        root: system.root,
        terminal: system.terminal,
        input: system.input,
    };
    let session = Session::new(console.clone(), global, surroundings);
    let ended = command.run(&session, system.stop).await;
    session.clean_up().await;
    session.say_stats();
    let (last, exit) = match ended {
        Ok(()) => (Vec::new(), Exit::Done),
        Err(failure) => (failure.lines(), failure.exit()),
    };
    console.end(last);
    exit
}

/// Help and the version are results; what is wrong with a command line is talk.
fn explain(console: &Console, refusal: clap::Error) -> Exit {
    let refusal = redacted(refusal);
    let text = refusal.to_string();
    if refusal.use_stderr() {
        console.say(text.trim_end());
        return Exit::Usage;
    }
    // A reader that left has seen enough.
    let _ = console.data(text.as_bytes());
    Exit::Done
}

/// What is quoted in it may have been pasted with a password.
fn redacted(mut refusal: clap::Error) -> clap::Error {
    let quoted = refusal.context().filter_map(|(kind, value)| match value {
        ContextValue::String(text) => Some((kind, without_password(text))),
        _ => None,
    });
    for (kind, text) in quoted.collect::<Vec<_>>() {
        refusal.insert(kind, ContextValue::String(text));
    }
    refusal
}

/// Only this workspace's own crates: what lies below may log headers.
fn log_to(console: &Console) {
    use tracing_subscriber::{Layer as _, filter::Targets, fmt, prelude::*};
    let ours =
        Targets::new().with_target("registry", tracing_subscriber::filter::LevelFilter::DEBUG);
    let console = console.clone();
    let lines = fmt::layer().with_ansi(false).with_writer(move || console.clone());
    // Somebody else's subscriber stays.
    let _ = tracing_subscriber::registry().with(lines.with_filter(ours)).try_init();
}
