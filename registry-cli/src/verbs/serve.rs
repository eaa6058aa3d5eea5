//! `registry serve`

use std::{
    fmt, io,
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::ValueEnum;
use registry_serve::{Access, Bearer, Builder, Fault, Registry, RequestRecord, Rights, Tls, Users};
use serde::Serialize;

use crate::{Exit, console::Console, failure::Failure, files, session::Session};

/// Run a registry on this machine
///
/// Prints its address, and serves until Ctrl-C. Without --htpasswd it is open to everybody who can
/// reach it.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Keep everything in this directory; in memory without it
    #[arg(long, value_name = "DIR")]
    disk: Option<PathBuf>,

    /// Where to listen; port 0 is any free port
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:5000")]
    address: SocketAddr,

    /// Refuse every change
    #[arg(long)]
    read_only: bool,

    /// Show no web page at /
    #[arg(long)]
    no_ui: bool,

    /// Remove blobs that have had no manifest for this long: now, then every hour
    #[arg(long, value_name = "HOURS")]
    gc: Option<u32>,

    #[command(flatten)]
    access: AccessArguments,

    #[command(flatten)]
    https: Https,

    #[command(flatten)]
    limits: Limits,

    #[command(flatten)]
    report: Report,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Access")]
struct AccessArguments {
    /// Let in the users of this file, made with `htpasswd -B`
    #[arg(long, value_name = "FILE")]
    htpasswd: Option<PathBuf>,

    /// Let a user only pull, push, delete, catalog (with commas); may be repeated
    #[arg(long, value_name = "USER=RIGHTS", requires = "htpasswd", value_parser = rights)]
    allow: Vec<(String, Rights)>,

    /// Hand out tokens at /token instead of asking for passwords each time
    #[arg(long, requires = "htpasswd")]
    bearer: bool,

    /// Let everybody pull; for changes a token is needed
    #[arg(long, requires = "bearer")]
    anonymous_pull: bool,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "HTTPS")]
struct Https {
    /// Certificate and what leads to its CA, in PEM
    #[arg(long = "tls-cert", value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,

    /// The certificate's key, in PEM
    #[arg(long = "tls-key", value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,

    /// Make a certificate now; its CA goes to this file, for clients to trust
    #[arg(long = "tls-self-signed", value_name = "CA-FILE", conflicts_with = "certificate")]
    self_signed: Option<PathBuf>,

    /// A further host name or IP address for that certificate; may be repeated
    #[arg(long = "tls-name", value_name = "HOST", requires = "self_signed")]
    hosts: Vec<String>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
struct Limits {
    /// The largest blob; without it, whatever there is room for
    #[arg(long, value_name = "BYTES")]
    max_blob: Option<u64>,

    /// The largest manifest
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 20)]
    max_manifest: usize,

    /// The largest head of a request
    #[arg(long, value_name = "BYTES", default_value_t = 32 << 10)]
    max_header: usize,

    /// Uploads at once
    #[arg(long, value_name = "N", default_value_t = 256)]
    max_uploads: usize,

    /// Connections at once
    #[arg(long, value_name = "N", default_value = "512")]
    max_connections: NonZeroUsize,

    /// Requests of one client address in a minute; no limit without it
    #[arg(long, value_name = "N")]
    rate_limit: Option<NonZeroU32>,

    /// Entries of a list that are sent at once; all without it
    #[arg(long, value_name = "N")]
    page: Option<NonZeroUsize>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What it says, and what goes wrong")]
struct Report {
    /// Log each request on standard error
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "text")]
    log: Option<LogFormat>,

    /// Show counters for Prometheus at /metrics
    #[arg(long)]
    metrics: bool,

    /// Send this warning with every answer
    #[arg(long, value_name = "TEXT")]
    warning: Option<String>,

    /// Do something wrong, to test a client: fail=N[:STATUS], cut=BYTES, delay=N(ms|s), 429=N,
    /// expire-tokens=N; may be repeated
    #[arg(long, value_name = "SPEC")]
    fault: Vec<Fault>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Serialize)]
struct Serving {
    url: String,
    host: String,
}

impl Arguments {
    pub(crate) async fn run(
        self,
        session: &Session,
        stop: impl Future<Output = Exit>,
    ) -> Result<(), Failure> {
        session.no_platform()?;
        let mut registry =
            Registry::builder().address(self.address).read_only(self.read_only).ui(!self.no_ui);
        if let Some(directory) = self.disk {
            registry = registry.disk(directory);
        }
        if let Some(hours) = self.gc {
            registry = registry.collect_garbage(Duration::from_secs(u64::from(hours) * 3600));
        }
        let open = self.access.htpasswd.is_none();
        let ca_file = self.https.self_signed.clone();
        registry = self.access.apply(registry)?;
        registry = self.https.apply(registry);
        registry = self.limits.apply(registry);
        registry = self.report.apply(registry, &session.console);
        let running = registry.spawn().await.map_err(|error| Failure::Local(error.into()))?;
        if let (Some(path), Some(ca)) = (ca_file, running.ca()) {
            // Somebody may be waiting for it: it is there whole, and the registry answers by then.
            files::replace(&path, ca.as_bytes()).map_err(|error| file(&path, "write", &error))?;
        }
        if open && !self.read_only && !self.address.ip().is_loopback() {
            session.note("warning: everybody who can reach this address can push and delete");
        }
        session.answer(&Serving { url: running.url(), host: running.host() })?;
        stop.await;
        running.shutdown().await;
        Ok(())
    }
}

impl AccessArguments {
    fn apply(self, registry: Builder) -> Result<Builder, Failure> {
        let Some(path) = self.htpasswd else { return Ok(registry) };
        let text = std::fs::read_to_string(&path).map_err(|error| file(&path, "read", &error))?;
        let users =
            Users::htpasswd(&text).map_err(|error| file(&path, "use", &io::Error::other(error)))?;
        let users = self.allow.into_iter().try_fold(users, |users, (name, rights)| {
            if users.contains(&name) {
                return Ok(users.with_rights(&name, rights));
            }
            let what = format!("--allow: {} has no user {name:?}", path.display());
            Err(Failure::Usage { what, hint: None })
        })?;
        Ok(if self.bearer {
            registry.auth(Bearer::new(users).anonymous_pull(self.anonymous_pull))
        } else {
            registry.auth(Access::Basic(users))
        })
    }
}

impl Https {
    fn apply(self, registry: Builder) -> Builder {
        match (self.certificate, self.key, self.self_signed) {
            (Some(certificates), Some(key), _) => registry.tls(Tls::files(certificates, key)),
            (_, _, Some(_)) => registry.tls(Tls::self_signed(self.hosts)),
            _ => registry,
        }
    }
}

impl Limits {
    fn apply(self, registry: Builder) -> Builder {
        let mut registry = registry
            .manifest_limit(self.max_manifest)
            .header_limit(self.max_header)
            .upload_limit(self.max_uploads)
            .connection_limit(self.max_connections);
        if let Some(bytes) = self.max_blob {
            registry = registry.blob_limit(bytes);
        }
        if let Some(per_minute) = self.rate_limit {
            registry = registry.rate_limit(per_minute);
        }
        match self.page {
            Some(entries) => registry.page_limit(entries),
            None => registry,
        }
    }
}

impl Report {
    fn apply(self, registry: Builder, console: &Console) -> Builder {
        let mut registry = registry.metrics(self.metrics);
        if let Some(format) = self.log {
            let line: fn(&RequestRecord) -> String = match format {
                LogFormat::Text => ToString::to_string,
                LogFormat::Json => RequestRecord::json,
            };
            let console = console.clone();
            registry = registry.log(move |record| console.say(&line(record)));
        }
        if let Some(text) = self.warning {
            registry = registry.warning(text);
        }
        self.fault.into_iter().fold(registry, Builder::fault)
    }
}

/// `alice=pull,push`
fn rights(text: &str) -> Result<(String, Rights), String> {
    let (name, rights) = text.split_once('=').ok_or("expected USER=RIGHTS")?;
    let rights: Rights = rights.parse().map_err(|error| format!("{error}"))?;
    Ok((name.to_owned(), rights))
}

fn file(path: &Path, action: &str, source: &io::Error) -> Failure {
    let what = format!("cannot {action} {}: {source}", path.display());
    Failure::Local(what.into())
}

impl fmt::Display for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}
