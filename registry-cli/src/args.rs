//! The command line.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Parser, ValueEnum, builder::RangedU64ValueParser};
use registry_name::Registry;
use registry_remote::{Platform, copy::DEFAULT_JOBS};

use crate::verbs::Command;

/// Push, pull, copy and inspect container images.
///
/// An IMAGE is a reference as in `docker pull`: ubuntu, ghcr.io/acme/app:v1,
/// localhost:5000/app@sha256:… A PLACE on this machine is oci:DIR[:TAG], oci-archive:FILE[:TAG],
/// docker-archive:FILE[:IMAGE] or a path.
#[derive(Debug, Parser)]
#[command(name = "registry", version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Arguments {
    /// Reads a command line. Options before the verb are read as if they stood behind it: to clap
    /// these are two places, of which one hides the other and neither conflicts with it.
    pub(crate) fn of<W: Into<OsString>>(
        words: impl IntoIterator<Item = W>,
    ) -> Result<Self, clap::Error> {
        let mut words: Vec<OsString> = words.into_iter().map(Into::into).collect();
        if let Some(verb) = verb(&words) {
            words[1..=verb].rotate_right(1);
        }
        Self::try_parse_from(words)
    }
}

/// Where the verb stands in a command line that has one.
fn verb(words: &[OsString]) -> Option<usize> {
    let options = Global::augment_args(clap::Command::new("registry"));
    let matches = options.allow_external_subcommands(true).try_get_matches_from(words).ok()?;
    let (verb, behind) = matches.subcommand()?;
    let behind = behind.get_many::<OsString>("").map_or(0, Iterator::count);
    // Behind `help` stand verbs alone.
    (verb != "help").then(|| words.len() - behind - 1)
}

/// What every verb understands.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Global {
    /// Take only this platform of an index; may be given several times
    #[arg(long, global = true, value_name = "OS/ARCH[/VARIANT]", value_delimiter = ',')]
    pub(crate) platform: Vec<Platform>,

    /// How many blobs move at a time
    #[arg(long, short, global = true, value_name = "N", default_value_t = DEFAULT_JOBS)]
    #[arg(value_parser = RangedU64ValueParser::<usize>::new().range(1..=64))]
    pub(crate) jobs: usize,

    /// Speak plain HTTP to this registry, as is done unasked only to this machine
    #[arg(long, global = true, value_name = "HOST")]
    pub(crate) plain_http: Vec<Registry>,

    /// Speak HTTPS to this registry although it is on this machine
    #[arg(long, global = true, value_name = "HOST")]
    pub(crate) tls: Vec<Registry>,

    #[command(flatten)]
    pub(crate) files: FileOptions,

    #[command(flatten)]
    pub(crate) login: LoginOptions,

    /// Read every manifest back that is pushed, and compare it
    #[arg(long, global = true)]
    pub(crate) verify_push: bool,

    /// The longest wait that a registry may ask for before the command fails instead
    #[arg(long, global = true, value_name = "SECONDS")]
    pub(crate) max_wait: Option<u32>,

    /// How results are written to standard output
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Format,

    /// Say at the end, on standard error, how many requests, connections and bytes it took
    #[arg(long, global = true)]
    pub(crate) stats: bool,

    /// Say nothing but errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,

    /// Say what is sent and received, on standard error
    #[arg(long, short, global = true, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
}

/// Who may see a password, and where tokens are kept.
#[derive(Debug, Args)]
pub(crate) struct LoginOptions {
    /// Passwords for REGISTRY may go to its token endpoint at HOST
    #[arg(long, global = true, value_name = "REGISTRY=HOST", value_parser = realm)]
    pub(crate) trust_realm: Vec<(Registry, String)>,

    /// Passwords go to no token endpoint at another host name, unless it was allowed
    #[arg(long, global = true)]
    pub(crate) strict_realms: bool,

    /// Neither use nor keep tokens of other runs
    #[arg(long, global = true)]
    pub(crate) no_token_cache: bool,
}

/// `registry.example.com=login.example.net`
fn realm(text: &str) -> Result<(Registry, String), String> {
    let (registry, host) = text.split_once('=').ok_or("it is REGISTRY=HOST")?;
    // A port says nothing here: it is the host that is trusted.
    let named: Registry = host.parse().map_err(|error| format!("{error}"))?;
    let registry = registry.parse().map_err(|error| format!("{error}"))?;
    Ok((registry, named.host().to_owned()))
}

/// Which files say how registries are reached.
#[derive(Debug, Args)]
pub(crate) struct FileOptions {
    /// How registries are reached is said in this file, in place of the user's registry/hosts.toml
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "no_hosts_files")]
    pub(crate) hosts_file: Option<PathBuf>,

    /// Read no file that says how registries are reached
    #[arg(long, global = true)]
    pub(crate) no_hosts_files: bool,

    /// Take names without a registry for what hosts.toml and registries.conf say that they are
    /// short for
    #[arg(long, global = true, conflicts_with = "no_hosts_files")]
    pub(crate) aliases: bool,
}

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Lines, made to be handed to the next command
    Text,
    /// One JSON document on one line
    Json,
}

const EXIT_CODES: &str = "\
Exit codes:
  0 done                 4 denied          8 local: disk, file, layout, archive
  1 anything else        5 rate limited    9 conflict
  2 usage                6 integrity     130 interrupted
  3 not found            7 network       143 terminated";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn options_may_stand_before_and_behind_the_verb() {
        for words in [
            ["registry", "--platform", "linux/amd64", "digest", "a"],
            ["registry", "digest", "--platform", "linux/amd64", "a"],
            ["registry", "digest", "a", "--platform", "linux/amd64"],
        ] {
            let arguments = Arguments::of(words).unwrap();
            assert_eq!(arguments.global.platform, [Platform::linux_amd64()], "{words:?}");
        }
        let words = ["registry", "digest", "--platform=linux/amd64,linux/arm64/v8", "a"];
        assert_eq!(Arguments::of(words).unwrap().global.platform.len(), 2);
        let words = ["registry", "--platform=linux/amd64", "digest", "--platform=linux/arm64", "a"];
        assert_eq!(Arguments::of(words).unwrap().global.platform.len(), 2);
    }
}
