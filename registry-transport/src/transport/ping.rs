//! The version check (distribution specification, "Determining Support"): is it a registry, and what does it want to see?

use http::Method;
use http::header::{HeaderValue, WWW_AUTHENTICATE};
use registry_name::Registry;

use super::Transport;
use crate::challenge::Challenge;
use crate::error::Error;
use crate::request::Request;

/// What a registry answered to `GET /v2/` without any credential.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ping {
    /// What it wants to see; empty when it wants nothing, or nothing that can be read.
    pub challenges: Vec<Challenge>,
    /// It answers without a credential.
    pub anonymous: bool,
    /// It is spoken to without TLS.
    pub insecure: bool,
}

impl Ping {
    /// The challenge to answer: Bearer with a realm, then Basic. `None`: there is none that can be.
    pub fn challenge(&self) -> Option<&Challenge> {
        Challenge::best(&self.challenges)
    }
}

impl Transport {
    /// Asks whether a registry is there and how it authenticates. Nothing needs this first: [`send`](Self::send) finds out
    /// by itself.
    pub async fn ping(&self, registry: &Registry) -> Result<Ping, Error> {
        let request = Request::new(Method::GET, registry, "/v2/").expect(&[200, 401]);
        let response = self.send(request).await?;
        let lines = response.headers().get_all(WWW_AUTHENTICATE).iter();
        let ping = Ping {
            challenges: Challenge::parse_all(lines.map(HeaderValue::as_bytes))
                .into_iter()
                .map(|challenge| challenge.at(response.url()))
                .collect(),
            anonymous: response.status().is_success(),
            insecure: response.url().scheme() == "http",
        };
        response.discard().await;
        Ok(ping)
    }
}
