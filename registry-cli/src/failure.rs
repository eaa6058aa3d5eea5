//! Why a verb failed: what is said about it, and the exit code.

use std::{
    borrow::Cow,
    error::Error,
    io,
    path::{Path, PathBuf},
};

use registry_name::ParseError;
use registry_transport::{ErrorKind, files::BrokenFile};

use crate::{Exit, console::printable, place::PlaceError};

/// A verb that did not get done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Name(#[from] ParseError),
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error("{what}")]
    Usage { what: String, hint: Option<String> },
    /// With a way out, where the verb knows one.
    #[error("{error}")]
    Remote { error: Box<registry_remote::Error>, hint: Option<String> },
    #[error("cannot set up the connection")]
    Setup(#[source] registry_transport::Error),
    /// A file that says how registries are reached.
    #[error(transparent)]
    HostsFile(BrokenFile),
    /// A keychain, a configuration file or a helper.
    #[error("cannot keep or forget the login")]
    Credentials(#[source] registry_authn::Error),
    /// A file of this program's own.
    #[error("cannot {action} {}", .path.display())]
    File { action: &'static str, path: PathBuf, source: io::Error },
    /// This machine does not let it be done.
    #[cfg(feature = "serve")]
    #[error(transparent)]
    Local(Box<dyn Error + Send + Sync>),
    #[error("{what}")]
    Other { what: String, exit: Exit, hint: Option<String> },
    /// Whoever read standard output has gone, or it cannot take more.
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
    /// Somebody asked it to stop, and how.
    #[error("{}", if *.0 == Exit::Terminated { "terminated" } else { "interrupted" })]
    Stopped(Exit),
}

impl Failure {
    pub(crate) fn usage(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { what: what.into(), hint: Some(hint.into()) }
    }

    /// A failure that a verb knows a way out of.
    pub(crate) fn advised(error: registry_remote::Error, hint: String) -> Self {
        Self::Remote { error: Box::new(error), hint: Some(hint) }
    }

    pub(crate) fn file(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::File { action, path: path.to_owned(), source }
    }

    pub(crate) fn other(what: impl Into<String>) -> Self {
        Self::Other { what: what.into(), exit: Exit::Other, hint: None }
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Name(_) | Self::Place(_) | Self::Usage { .. } => Exit::Usage,
            Self::Remote { error, .. } if broken_file(error.as_ref()).is_some() => Exit::Local,
            Self::Remote { error, .. } => error.kind().into(),
            Self::HostsFile(_) | Self::Credentials(_) | Self::File { .. } => Exit::Local,
            Self::Setup(_) => Exit::Other,
            Self::Other { exit, .. } => *exit,
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Output(_) => Exit::Local,
            #[cfg(feature = "serve")]
            Self::Local(_) => Exit::Local,
            Self::Stopped(exit) => *exit,
        }
    }

    /// The lines for standard error: what happened on one, then a drawing and a hint where there
    /// are any. None where the reader of standard output left, which is no failure.
    pub(crate) fn lines(&self) -> Vec<String> {
        if self.exit() == Exit::Done {
            return Vec::new();
        }
        let mut chain: Vec<String> = Vec::new();
        let mut next = Some(self.error());
        while let Some(error) = next {
            let said = printable(&error.to_string());
            // Libraries repeat in a cause what its effect has quoted already.
            if !chain.iter().any(|before| before.contains(&said)) {
                chain.push(said);
            }
            next = error.source();
        }
        let mut lines = vec![format!("error: {}", chain.join(": "))];
        if let Some(name) = self.name() {
            lines.extend(name.caret().lines().map(|line| format!("  {line}")));
        }
        lines.extend(self.hint().map(|hint| format!("hint: {}", printable(&hint))));
        lines
    }

    /// Where the causes start.
    fn error(&self) -> &(dyn Error + 'static) {
        match self {
            Self::Remote { error, .. } => error.as_ref(),
            _ => self,
        }
    }

    /// The name that could not be parsed, if that is what this is about.
    fn name(&self) -> Option<&ParseError> {
        match self {
            Self::Name(error) | Self::Place(PlaceError::Image(error)) => Some(error),
            _ => None,
        }
    }

    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Name(error) => error.hint().map(Cow::from),
            Self::Place(error) => error.hint().map(Cow::from),
            Self::Usage { hint, .. } | Self::Other { hint, .. } => hint.as_deref().map(Cow::from),
            Self::Remote { hint: Some(hint), .. } => Some(hint.into()),
            Self::Remote { error, .. } if broken_file(error.as_ref()).is_some() => {
                Some(WITHOUT_FILES.into())
            }
            Self::HostsFile(_) => Some(WITHOUT_FILES.into()),
            Self::Remote { error, hint: None } => remote_hint(error),
            Self::Setup(error) => error.hint().map(Cow::from),
            Self::Credentials(error) => error.hint().map(Cow::from),
            Self::File { action, source, .. } => local_hint(action, source.kind()).map(Cow::from),
            Self::Output(_) | Self::Stopped(_) => None,
            #[cfg(feature = "serve")]
            Self::Local(_) => None,
        }
    }
}

impl From<registry_remote::Error> for Failure {
    fn from(error: registry_remote::Error) -> Self {
        Self::Remote { error: Box::new(error), hint: None }
    }
}

const WITHOUT_FILES: &str = "correct it; --no-hosts-files goes on without any such file";

/// The configuration file that an error comes from, if it comes from one.
fn broken_file<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a BrokenFile> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(broken) = error.downcast_ref() {
            return Some(broken);
        }
        next = error.source();
    }
    None
}

fn remote_hint(error: &registry_remote::Error) -> Option<Cow<'_, str>> {
    use registry_remote::Error as Remote;
    let hint = match error {
        Remote::Registry { source, .. } => match realm_hint(source).or_else(|| scheme_hint(source))
        {
            Some(hint) => return Some(hint.into()),
            None => source.hint(),
        },
        Remote::NoPlatform { .. } => Some("leave --platform out to take what there is"),
        Remote::NoManifest { .. } => Some(
            "where some platforms of an index were left out, --platform names one that is there",
        ),
        Remote::Integrity { .. } => Some(
            "nothing of it was kept; if trying again does not help, the content is broken at its source",
        ),
        Remote::Local { action, source, .. } => local_hint(action, source.kind()),
        _ => None,
    };
    hint.map(Cow::from)
}

/// The flag that lets a token endpoint see a password.
fn realm_hint(error: &registry_transport::Error) -> Option<String> {
    let (registry, host) = error.untrusted_realm()?;
    Some(format!(
        "the password for {registry} was not sent to its token endpoint at {host}; if {host} is meant to have it, say --trust-realm {registry}={host}"
    ))
}

/// The flag for what the other side seems to speak.
fn scheme_hint(error: &registry_transport::Error) -> Option<String> {
    let url = error.url()?.to_string();
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split('/').next()?;
    let unexplained = error.status().is_some_and(|status| status.as_u16() == 400)
        && error.diagnostics().is_empty();
    // Without a cause it was HTTP, and made no sense.
    let no_http = error.source().is_some();
    match (scheme, error.kind()) {
        ("https", ErrorKind::Tls) => Some(format!(
            "if {host} speaks plain HTTP, say --plain-http {host}; if its certificate is private, name the file of its CA in SSL_CERT_FILE"
        )),
        ("http", kind) if unexplained || (kind == ErrorKind::Protocol && no_http) => {
            Some(format!("if {host} speaks HTTPS, say --tls {host}"))
        }
        _ => None,
    }
}

fn local_hint(action: &str, kind: io::ErrorKind) -> Option<&'static str> {
    match kind {
        io::ErrorKind::NotFound if action == "open" => Some("check the path"),
        io::ErrorKind::NotFound => Some("check the path; its directory must exist"),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Some("check who may read and write there, or choose another path")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Some("make room there, or choose another path; nothing half-written was left")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_name_is_drawn_and_gets_its_hint() {
        let error = "ghcr.io/Acme/app".parse::<registry_name::Reference>().unwrap_err();
        let failure = Failure::from(error);
        assert_eq!(failure.exit(), Exit::Usage);
        let lines = failure.lines();
        assert!(
            lines[0].starts_with("error: invalid repository in \"ghcr.io/Acme/app\""),
            "{lines:?}"
        );
        assert_eq!(lines[1..3], ["  ghcr.io/Acme/app", "          ^"]);
        assert!(lines[3].starts_with("hint: "), "{lines:?}");
    }

    #[test]
    fn causes_stand_on_one_line() {
        let source = io::Error::other("first line\nsecond \u{1b}[31mline");
        let failure = Failure::Output(source);
        let expected =
            "error: cannot write to standard output: first line\\nsecond \\u{1b}[31mline";
        assert_eq!(failure.lines(), [expected]);
    }

    #[test]
    fn a_cause_that_repeats_its_effect_is_said_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot listen: refused")]
        struct Twice(#[source] io::Error);
        let error = Twice(io::Error::other("refused"));
        let failure = Failure::Output(io::Error::other(error));
        let expected = "error: cannot write to standard output: cannot listen: refused";
        assert_eq!(failure.lines(), [expected]);
    }

    #[test]
    fn a_reader_that_left_is_no_failure() {
        let failure = Failure::Output(io::ErrorKind::BrokenPipe.into());
        assert_eq!(failure.exit(), Exit::Done);
        assert!(failure.lines().is_empty());
        let failure = Failure::Output(io::ErrorKind::StorageFull.into());
        assert_eq!(failure.exit(), Exit::Local);
        assert_eq!(failure.lines().len(), 1);
    }
}
