//! Servers that may be spoken to without TLS: whether they speak it is found out once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::header::USER_AGENT;
use http::{HeaderMap, Method};
use url::Url;

use super::Inner;
use crate::body::Body;
use crate::origin::Origin;
use crate::request::Target;
use crate::route::{Candidate, at};
use crate::service::{HttpErrorKind, HttpRequest};

/// Which servers turned out to speak HTTPS, and which do not.
#[derive(Clone, Debug, Default)]
pub(super) struct Spoken(Arc<Mutex<HashMap<Origin, bool>>>);

impl Inner {
    /// The candidate, over plain HTTP if that is allowed there and HTTPS is not spoken.
    pub(super) async fn with_scheme(&self, mut candidate: Candidate) -> Candidate {
        let home = &candidate.home.origin;
        if !candidate.host.may_be_plain() || !home.is_tls() || self.finished {
            return candidate;
        }
        let known = || self.spoken.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known().get(home).copied();
        let tls = if let Some(tls) = found {
            tls
        } else {
            self.servers.learn(home, &candidate.host);
            let tls = self.speaks_tls(&candidate).await;
            known().insert(home.clone(), tls);
            tls
        };
        if tls {
            return candidate;
        }
        // A URL that the server chose may lead elsewhere, and has its scheme already.
        if Origin::of(&candidate.url).as_ref() == Some(home) {
            candidate.url = without_tls(candidate.url);
            if let Target::Url(url) = &mut candidate.request.target {
                url.clone_from(&candidate.url);
            }
        }
        let home = Url::parse(&candidate.home.origin.to_string()).map(without_tls);
        if let Some(origin) = home.ok().as_ref().and_then(Origin::of) {
            candidate.home.origin = origin;
        }
        candidate
    }

    /// Whether there is anything behind TLS. No secret is sent to find it out; what is only slow counts as there.
    async fn speaks_tls(&self, candidate: &Candidate) -> bool {
        let home = &candidate.home.origin;
        let Some(url) = home.to_string().parse().ok().and_then(|url| at(&url, "/v2/").ok()) else {
            return true;
        };
        let mut headers = HeaderMap::new();
        if let Ok(server) = self.servers.of(home) {
            headers.insert(USER_AGENT, server.user_agent.clone());
        }
        let request = HttpRequest::new(Method::GET, url, headers, &Body::empty());
        let answer = tokio::time::timeout(self.deadlines.head, self.service.call(request)).await;
        !matches!(answer, Ok(Err(error)) if matches!(
            error.kind(),
            HttpErrorKind::ConnectionRefused
                | HttpErrorKind::Tls
                | HttpErrorKind::Protocol
                | HttpErrorKind::NoAnswer
                | HttpErrorKind::Unprocessed
        ))
    }
}

fn without_tls(mut url: Url) -> Url {
    // From https to http nothing can fail.
    let _ = url.set_scheme("http");
    url
}
