//! How a credential becomes headers.
//!
//! A [`Scheme`] sees each request before it goes to the registry's own origin, and each answer that comes from there.
//! [`Anonymous`], [`Basic`] and [`Bearer`] are schemes like any other: a registry's 401 chooses between them. A caller's own
//! is chosen by the name in a challenge ([`Builder::scheme`](crate::Builder::scheme)), or set for one registry
//! ([`Builder::scheme_for`](crate::Builder::scheme_for)).
//!
//! ```
//! use std::sync::Arc;
//!
//! use async_trait::async_trait;
//! use registry_authn::Credential;
//! use registry_transport::scheme::{Answer, Next, Scheme, Session};
//! use registry_transport::{Error, Transport, header::HeaderName};
//!
//! /// For a registry behind a gateway that wants a key.
//! #[derive(Debug)]
//! struct Key;
//!
//! #[async_trait]
//! impl Scheme for Key {
//!     async fn authorize(&self, session: &mut Session<'_>) -> Result<(), Error> {
//!         if let Credential::Basic { password, .. } = session.credential().await? {
//!             session.secret_header(HeaderName::from_static("x-gateway-key"), password.expose())?;
//!         }
//!         Ok(())
//!     }
//!
//!     async fn answered(&self, session: &mut Session<'_>, answer: &Answer) -> Result<Next, Error> {
//!         // A key that was replaced meanwhile: the keychain is asked again, once.
//!         if answer.status() == 401 && session.forget_credential().await? {
//!             return Ok(Next::Resend);
//!         }
//!         Ok(Next::Done)
//!     }
//! }
//!
//! let transport =
//!     Transport::builder().scheme_for("registry.example.com".parse()?, Arc::new(Key)).build()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod basic;
mod bearer;
mod session;
mod widen;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use http::StatusCode;
use http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use registry_name::Registry;

pub use self::basic::Basic;
pub(crate) use self::basic::basic;
pub use self::bearer::Bearer;
pub use self::session::Session;
use crate::challenge::Challenge;
use crate::error::Error;
use crate::response::Response;

/// How a credential becomes headers.
#[async_trait]
pub trait Scheme: fmt::Debug + Send + Sync {
    /// Sees a request before it goes to the registry's own origin, and may add headers to it. They are secret: a redirect to
    /// another origin is followed without them.
    async fn authorize(&self, session: &mut Session<'_>) -> Result<(), Error>;

    /// Sees an answer of the registry's own origin, and may ask for the request to be sent once more. That is granted once
    /// for a request that nothing was added to, and once for one that had something added.
    async fn answered(&self, session: &mut Session<'_>, answer: &Answer) -> Result<Next, Error> {
        let _ = (session, answer);
        Ok(Next::Done)
    }
}

/// What to do after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a request is sent again or it is not")]
pub enum Next {
    /// The answer is what there is.
    Done,
    /// There is something better to show: send the request again.
    Resend,
}

/// The head of an answer.
#[derive(Clone, Debug)]
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    challenges: Vec<Challenge>,
}

impl Answer {
    pub(crate) fn of(response: &Response) -> Self {
        let lines = response.headers().get_all(WWW_AUTHENTICATE).iter();
        let challenges = Challenge::parse_all(lines.map(HeaderValue::as_bytes));
        let challenges = challenges.into_iter().map(|challenge| challenge.at(response.url()));
        Self {
            status: response.status(),
            headers: response.headers().clone(),
            challenges: challenges.collect(),
        }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The challenges in `WWW-Authenticate`, as far as they can be read.
    pub fn challenges(&self) -> &[Challenge] {
        &self.challenges
    }

    fn is_unauthorized(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
    }
}

/// Shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Anonymous;

#[async_trait]
impl Scheme for Anonymous {
    async fn authorize(&self, _: &mut Session<'_>) -> Result<(), Error> {
        Ok(())
    }
}

/// The schemes of a transport.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schemes {
    of_registry: HashMap<Registry, Arc<dyn Scheme>>,
    named: Vec<(String, Arc<dyn Scheme>)>,
}

impl Schemes {
    pub(crate) fn set(&mut self, registry: Registry, scheme: Arc<dyn Scheme>) {
        self.of_registry.insert(registry, scheme);
    }

    pub(crate) fn name(&mut self, name: &str, scheme: Arc<dyn Scheme>) {
        self.named.push((name.to_ascii_lowercase(), scheme));
    }

    /// What the caller chose for a registry.
    pub(crate) fn of(&self, registry: &Registry) -> Option<&Arc<dyn Scheme>> {
        self.of_registry.get(registry)
    }

    /// The challenge to answer, and how: the caller's own schemes, then Bearer with a realm, then Basic, then none.
    pub(crate) fn choose<'a>(
        &self,
        challenges: &'a [Challenge],
    ) -> Option<(&'a Challenge, Arc<dyn Scheme>)> {
        let own = self.named.iter().find_map(|(name, scheme)| {
            let challenge = challenges.iter().find(|challenge| challenge.scheme() == name)?;
            Some((challenge, Arc::clone(scheme)))
        });
        own.or_else(|| {
            let best = Challenge::best(challenges)?;
            let scheme: Arc<dyn Scheme> =
                if best.scheme() == "bearer" { Arc::new(Bearer) } else { Arc::new(Basic) };
            Some((best, scheme))
        })
    }
}
