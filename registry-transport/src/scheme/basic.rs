//! Basic (RFC 7617): the user name and the password themselves.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HeaderValue};
use registry_authn::Credential;

use super::session::Proof;
use super::{Answer, Next, Scheme, Session};
use crate::error::{Error, ErrorKind};

/// Shows the user name and the password themselves (RFC 7617).
#[derive(Clone, Copy, Debug, Default)]
pub struct Basic;

#[async_trait]
impl Scheme for Basic {
    async fn authorize(&self, session: &mut Session<'_>) -> Result<(), Error> {
        let (credential, who) = session.find().await?;
        if let Some(value) = header_for(&credential)? {
            session.show(AUTHORIZATION, value, Proof::Credential(who));
        }
        Ok(())
    }

    async fn answered(&self, session: &mut Session<'_>, answer: &Answer) -> Result<Next, Error> {
        if !answer.is_unauthorized() {
            return Ok(Next::Done);
        }
        // The same password is not sent twice.
        let changed = session.forget_credential().await?;
        let (credential, _) = session.find().await?;
        let usable = header_for(&credential)?.is_some();
        Ok(if usable && changed { Next::Resend } else { Next::Done })
    }
}

fn header_for(credential: &Credential) -> Result<Option<HeaderValue>, Error> {
    match credential {
        Credential::RegistryToken(token) => bearer(token.expose()).map(Some),
        Credential::Basic { username, password } => basic(username, password.expose()).map(Some),
        _ => Ok(None),
    }
}

/// A user name with a colon cannot be told from its password.
pub(crate) fn basic(username: &str, password: &str) -> Result<HeaderValue, Error> {
    if username.contains(':') || username.chars().chain(password.chars()).any(char::is_control) {
        let what =
            "the user name or password has characters that Basic authentication cannot carry";
        return Err(Error::new(ErrorKind::Credential, what));
    }
    secret(&format!("Basic {}", STANDARD.encode(format!("{username}:{password}"))))
}

/// RFC 6750.
pub(super) fn bearer(token: &str) -> Result<HeaderValue, Error> {
    secret(&format!("Bearer {token}"))
}

fn secret(text: &str) -> Result<HeaderValue, Error> {
    // The cause is left out: nobody needs to know more about a secret.
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        Error::new(ErrorKind::Credential, "the token has characters that no header can hold")
    })?;
    value.set_sensitive(true);
    Ok(value)
}
