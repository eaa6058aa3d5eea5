//! `registry login HOST`

use std::fmt;

use registry_authn::{Credential, Kept, Secret};
use registry_name::Registry;
use registry_transport::{Error, ErrorKind, Method, Request, Transport};
use serde::Serialize;

use crate::{failure::Failure, realms::Realms, session::Session};

/// Log in to a registry
///
/// The password is asked for, or read from standard input, and shown to the registry before it is
/// kept: in Docker's configuration file, or by the helper that the file names. A token endpoint at
/// a stranger's host has to be allowed with --trust-realm, which is remembered with the login.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Which registry
    host: Registry,
    /// The user name; asked for without it
    #[arg(long, short, value_name = "USER")]
    username: Option<String>,
    /// Read the password from standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LoggedIn {
    registry: Registry,
    username: String,
    /// Whether the registry was shown the password, and took it.
    verified: bool,
    kept_in: String,
}

impl Arguments {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let registry = self.host;
        let logins = session.logins()?;
        let (username, password) = if self.password_stdin {
            (self.username.unwrap_or_default(), session.input().all().await?)
        } else {
            let username = match self.username {
                Some(username) => username,
                None => session.ask("Username: ").await?,
            };
            (username, session.ask_hidden("Password: ").await?)
        };
        let password = password.trim_end_matches(['\r', '\n']);
        if username.is_empty() || password.is_empty() {
            let what = "a login needs a user name and a password";
            return Err(Failure::usage(what, "give them with -u USER and --password-stdin"));
        }
        let credential = Credential::basic(username.as_str(), Secret::new(password));
        let verified = verify(session, &registry, &credential).await?;
        let kept = logins.save(&registry.clone().into(), &credential).await;
        let kept_in = match kept.map_err(Failure::Credentials)? {
            Kept::InFile(path) => path.display().to_string(),
            Kept::ByHelper(program) => program,
            _ => logins.path().display().to_string(),
        };
        let trusted = session.trusted_realms(&registry);
        if !trusted.is_empty() {
            Realms::of(session.environment()).allow(&registry, &trusted)?;
        }
        if !verified {
            session.note(&format!("{registry} asks for no login: the password is not verified"));
        }
        session.answer(&LoggedIn { registry, username, verified, kept_in })
    }
}

/// Whether the registry took the credential; `false` when it does not ask for any.
async fn verify(
    session: &Session,
    registry: &Registry,
    credential: &Credential,
) -> Result<bool, Failure> {
    let transport = session.transport_as(registry, credential)?;
    let verified = show(&transport, registry, credential).await;
    verified.map_err(|source| {
        let attempt = format!("log in to {registry}");
        registry_remote::Error::Registry { attempt, source }.into()
    })
}

async fn show(
    transport: &Transport,
    registry: &Registry,
    credential: &Credential,
) -> Result<bool, Error> {
    let ping = transport.ping(registry).await?;
    if ping.anonymous {
        return Ok(false);
    }
    let request = Request::new(Method::GET, registry, "/v2/");
    match ping.challenge() {
        Some(challenge) if challenge.scheme() == "bearer" => {
            let none = registry_authn::Scopes::new();
            let token = transport.exchange(registry, challenge, credential, &none).await?;
            let transport = transport.from_token(registry, challenge, &token);
            match transport.send(request).await {
                // A token without a scope opens nothing at some registries; its endpoint has judged.
                Err(error) if error.kind() == ErrorKind::Denied => Ok(true),
                answer => answer.map(|_| true),
            }
        }
        _ => transport.send(request).await.map(|_| true),
    }
}

impl fmt::Display for LoggedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "logged in to {} as {}, kept in {}", self.registry, self.username, self.kept_in)
    }
}
