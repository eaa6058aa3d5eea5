//! The way along the places where a request may be answered: mirrors first, the registry itself last.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use registry_authn::Credential;
use registry_name::Registry;
use url::Url;

use super::Inner;
use crate::error::{Error, ErrorKind};
use crate::event::Event;
use crate::redact::RedactedUrl;
use crate::response::Response;
use crate::route::{Candidate, MIRROR_ATTEMPTS};

/// Mirrors whose content was wrong once. They are not asked again for the same registry as long as the process runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Distrusted(Arc<Mutex<HashSet<(Registry, Url)>>>);

impl Distrusted {
    pub(super) fn contains(&self, registry: &Registry, mirror: &Url) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.contains(&(registry.clone(), mirror.clone()))
    }
}

/// The mirror that an answer came from.
#[derive(Clone)]
pub struct Origin {
    registry: Registry,
    mirror: Url,
    distrusted: Distrusted,
}

impl Origin {
    /// Does not ask it again for content of the same registry, as long as the transport lives.
    pub fn distrust(&self) {
        let mirror = RedactedUrl::from(&self.mirror);
        tracing::warn!(%mirror, registry = %self.registry, "the mirror's content is wrong; it is not asked again");
        let mut all = self.distrusted.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert((self.registry.clone(), self.mirror.clone()));
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}", RedactedUrl::from(&self.mirror), self.registry)
    }
}

impl Inner {
    /// Asks one after the other until one has an answer. When none has, the error tells how each of them failed.
    pub(super) async fn walk(
        self: &Arc<Self>,
        registry: &Registry,
        candidates: Vec<Candidate>,
    ) -> Result<Response, Error> {
        let mut tried = Vec::new();
        for candidate in candidates {
            let candidate = self.with_scheme(candidate).await;
            let Candidate { request, url, home, host, mirror } = candidate;
            self.servers.learn(&home.origin, &host);
            let attempts = if mirror.is_some() { MIRROR_ATTEMPTS } else { u32::MAX };
            let error = match (self.send(&request, url, home, attempts).await, mirror) {
                (Ok(response), None) => return Ok(response),
                (Ok(response), Some(mirror)) => {
                    let (registry, distrusted) = (registry.clone(), self.distrusted.clone());
                    return Ok(response.came_from(Origin { registry, mirror, distrusted }));
                }
                (Err(error), None) => return Err(error.with_tried(tried)),
                (Err(error), Some(_)) => error,
            };
            let resource = request.resource_or_registry();
            let known = self.memory.credential(&*self.keychain, &resource).await;
            if !may_move_on(&error, matches!(known, Ok((Credential::Anonymous, _)))) {
                return Err(error.with_tried(tried));
            }
            tracing::warn!(%error, "mirror");
            self.listeners.tell(&Event::MirrorFailed { reason: &error });
            tried.push(error);
        }
        // The registry itself is always among the candidates.
        Err(Error::new(ErrorKind::Config, "there is nowhere to ask").with_tried(tried))
    }
}

/// Whether another place may be asked after a mirror failed like this. What is wrong on our own side is wrong there as well,
/// and a mirror that refuses the credential it was given needs a look.
fn may_move_on(error: &Error, anonymous: bool) -> bool {
    match error.kind() {
        ErrorKind::Cancelled | ErrorKind::Credential | ErrorKind::Config | ErrorKind::Body => false,
        ErrorKind::Unauthorized | ErrorKind::Denied | ErrorKind::TokenRefused => anonymous,
        _ => true,
    }
}
