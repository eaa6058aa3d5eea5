//! The chores of this workspace: `cargo xtask` lists them.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for a terminal")]

mod bench;
mod ci;
mod conformance;
mod crates;
mod demo;
mod peers;
mod run;
mod serving;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// The chores of this workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    chore: Option<Chore>,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// A real image: packed, pushed, listed, copied, pulled and verified, without a network
    Demo,
    /// Everything that continuous integration runs, in its order
    Ci,
    /// Count the crates that registry-transport is built of, and keep them below a limit
    Crates,
    /// Measure against programs of others, on this machine and in one run
    Bench(bench::Arguments),
    /// Install the programs of others that tests compare with, into target/peers
    Peers,
    /// Play the specification against a registry, and hostile registries against a client
    Conformance(conformance::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().chore {
        None => {
            print!("{}", Arguments::command().render_help());
            Ok(())
        }
        Some(Chore::Demo) => demo::run(),
        Some(Chore::Ci) => ci::run(),
        Some(Chore::Crates) => crates::run(),
        Some(Chore::Bench(arguments)) => bench::run(&arguments),
        Some(Chore::Peers) => {
            peers::run();
            Ok(())
        }
        Some(Chore::Conformance(arguments)) => conformance::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
