//! The verbs, one file each: parse, place, one call into registry-remote, output.

mod catalog;
mod config;
mod copy;
mod delete;
mod digest;
mod hosts;
mod login;
mod logout;
mod ls;
mod manifest;
mod pull;
mod push;
#[cfg(feature = "serve")]
mod serve;
mod tag;
mod version;

use clap::Subcommand;

use crate::{Exit, failure::Failure, session::Session};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[cfg(feature = "serve")]
    Serve(Box<serve::Arguments>),
    #[command(flatten)]
    Verb(Verb),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Push(push::Arguments),
    Pull(pull::Arguments),
    #[command(visible_alias = "cp")]
    Copy(copy::Arguments),
    Ls(ls::Arguments),
    Manifest(manifest::Arguments),
    Digest(digest::Arguments),
    Config(config::Arguments),
    Tag(tag::Arguments),
    Delete(delete::Arguments),
    Catalog(catalog::Arguments),
    Login(login::Arguments),
    Logout(logout::Arguments),
    Hosts(hosts::Arguments),
    Version(version::Arguments),
}

impl Command {
    /// Does it. A wish to stop drops what is under way; a server is shut down in good order.
    pub(crate) async fn run(
        self,
        session: &Session,
        stop: impl Future<Output = Exit> + Send,
    ) -> Result<(), Failure> {
        match self {
            #[cfg(feature = "serve")]
            Self::Serve(arguments) => arguments.run(session, stop).await,
            Self::Verb(verb) => tokio::select! {
                biased;
                exit = stop => Err(Failure::Stopped(exit)),
                result = verb.run(session) => result,
            },
        }
    }
}

impl Verb {
    async fn run(self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::Push(arguments) => arguments.run(session).await,
            Self::Pull(arguments) => arguments.run(session).await,
            Self::Copy(arguments) => arguments.run(session).await,
            Self::Ls(arguments) => arguments.run(session).await,
            Self::Manifest(arguments) => arguments.run(session).await,
            Self::Digest(arguments) => arguments.run(session).await,
            Self::Config(arguments) => arguments.run(session).await,
            Self::Tag(arguments) => arguments.run(session).await,
            Self::Delete(arguments) => arguments.run(session).await,
            Self::Catalog(arguments) => arguments.run(session).await,
            Self::Login(arguments) => arguments.run(session).await,
            Self::Logout(arguments) => arguments.run(session).await,
            Self::Hosts(arguments) => arguments.run(session),
            Self::Version(version::Arguments {}) => version::run(session),
        }
    }
}
