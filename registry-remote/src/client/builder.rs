//! How a client is set up.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use registry_authn::{
    Anonymous, Authenticator, Chain, Credential, Error as AuthnError, Fixed, Keychain, Resource,
};
use registry_name::Registry;
use registry_transport::{Builder as TransportBuilder, Cancellation, Transport};

use super::{Client, Settings};
use crate::{Error, Platform, copy::DEFAULT_JOBS};

/// Builds a [`Client`].
///
/// Unless told otherwise a client is anonymous, takes `linux/amd64` of an index, moves
/// [`DEFAULT_JOBS`] blobs at a time, and reads no configuration of this machine.
///
/// ```
/// # use registry_authn::Credential;
/// # use registry_name::Registry;
/// # use registry_remote::{Client, Platform};
/// let registry: Registry = "ghcr.io".parse()?;
/// let client = Client::builder()
///     .credential(registry, Credential::basic("robot", "a token"))
///     .platform(Platform::new("linux", "arm64"))
///     .jobs(8)
///     .user_agent("example/1.0")
///     .build()?;
/// assert_eq!(client.jobs(), 8);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct Builder {
    keychains: Vec<Arc<dyn Keychain>>,
    user_agent: Option<String>,
    transport: Way,
    settings: Settings,
}

/// The way to registries.
enum Way {
    ToBuild(Box<TransportBuilder>),
    Finished(Transport),
}

impl Builder {
    /// A credential for one registry; no other one sees it.
    #[must_use]
    pub fn credential(self, registry: Registry, credential: Credential) -> Self {
        self.keychain(Arc::new(Fixed::for_registry(registry, credential)))
    }

    /// What gives the credential for one registry whenever one is needed, and may renew it; no
    /// other registry sees it.
    #[must_use]
    pub fn authenticator(self, registry: Registry, authenticator: Arc<dyn Authenticator>) -> Self {
        self.keychain(Arc::new(Bound { registry, authenticator }))
    }

    /// Where credentials come from. Several are asked in the order in which they were given.
    #[must_use]
    pub fn keychain(mut self, keychain: Arc<dyn Keychain>) -> Self {
        self.keychains.push(keychain);
        self
    }

    /// A transport to use as it is: its credentials, hosts, retries, deadlines and user agent.
    #[must_use]
    pub fn transport(mut self, transport: Transport) -> Self {
        self.transport = Way::Finished(transport);
        self
    }

    /// A transport that is built with what is given here: hosts, retries and deadlines are its own,
    /// credentials and user agent are added where this builder was given some.
    #[must_use]
    pub fn transport_builder(mut self, transport: TransportBuilder) -> Self {
        self.transport = Way::ToBuild(Box::new(transport));
        self
    }

    /// How many blobs move at a time in a copy with [`Client::copy_options`], at least one;
    /// [`DEFAULT_JOBS`] unless set.
    #[must_use]
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.settings.jobs = jobs.max(1);
        self
    }

    /// What is read of an index where nothing else is asked for, as by
    /// [`Fetched::image`](crate::Fetched::image); `linux/amd64` unless set. A copy takes an index whole, unless
    /// [`CopyOptions::platforms`](crate::CopyOptions::platforms) names some.
    #[must_use]
    pub fn platform(mut self, platform: Platform) -> Self {
        self.settings.platform = platform;
        self
    }

    /// The caller's part of the user agent, such as `tool/1.0`.
    #[must_use]
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = Some(user_agent.into());
        self
    }

    /// Whether every manifest that is pushed is read back by its digest and compared, one request
    /// more for each; not unless set. For a registry that one does not trust to keep what it
    /// confirms: pushing fails with [`Error::Integrity`] then.
    #[must_use]
    pub fn verify_pushes(mut self, verify: bool) -> Self {
        self.settings.verify_pushes = verify;
        self
    }

    /// Whether a tag stands in for the referrers API where a registry has none; so it is unless set.
    /// Without it such referrers can be neither listed nor kept: [`Error::Unsupported`], when a
    /// manifest with a subject has been pushed already.
    #[must_use]
    pub fn referrers_tag(mut self, use_it: bool) -> Self {
        self.settings.referrers_tag = use_it;
        self
    }

    /// Ends everything that this client does once it is cancelled: what is running, and what is
    /// read later through an image or a layer that was got before.
    #[must_use]
    pub fn cancellation(mut self, cancellation: &Cancellation) -> Self {
        self.settings.cancellation = Some(cancellation.clone());
        self
    }

    /// Builds it.
    ///
    /// # Errors
    ///
    /// Where the transport cannot be set up; [`Error::Unsupported`] where a finished transport is
    /// given together with what it would have to be built with.
    pub fn build(self) -> Result<Client, Error> {
        let transport = match self.transport {
            Way::Finished(transport) => {
                let rest = [
                    ("credentials", !self.keychains.is_empty()),
                    ("a user agent", self.user_agent.is_some()),
                ];
                if let Some((what, _)) = rest.iter().find(|(_, given)| *given) {
                    let what = format!(
                        "a finished transport is used as it is: give {what} to the transport's own builder"
                    );
                    return Err(Error::Unsupported { what });
                }
                transport
            }
            Way::ToBuild(mut builder) => {
                if !self.keychains.is_empty() {
                    let chain: Chain = self.keychains.into_iter().collect();
                    *builder = builder.keychain(Arc::new(chain.then(Anonymous)));
                }
                if let Some(user_agent) = self.user_agent {
                    *builder = builder.user_agent(user_agent);
                }
                builder.build().map_err(Error::registry(|| "set up the transport".to_owned()))?
            }
        };
        let transport = match &self.settings.cancellation {
            Some(cancellation) => transport.with_cancellation(cancellation),
            None => transport,
        };
        Ok(Client::with(transport, self.settings))
    }
}

impl Default for Way {
    fn default() -> Self {
        Self::ToBuild(Box::default())
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            jobs: DEFAULT_JOBS,
            platform: Platform::linux_amd64(),
            cancellation: None,
            verify_pushes: false,
            referrers_tag: true,
        }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// An authenticator that answers for one registry.
#[derive(Debug)]
struct Bound {
    registry: Registry,
    authenticator: Arc<dyn Authenticator>,
}

#[async_trait]
impl Keychain for Bound {
    async fn resolve(
        &self,
        resource: &Resource,
    ) -> Result<Option<Arc<dyn Authenticator>>, AuthnError> {
        let mine = resource.registry() == self.registry;
        Ok(mine.then(|| Arc::clone(&self.authenticator)))
    }
}
