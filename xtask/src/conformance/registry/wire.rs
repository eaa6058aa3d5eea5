//! Plain requests to the registry under judgement: every status is an answer, and nothing is concluded from it here.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use registry_authn::{Anonymous, Credential, Fixed, Keychain, Resource, Scopes, Secret};
use registry_faults::content::{Blob, Image};
use registry_name::{Registry, Repository};
use registry_transport::{Body, Hosts, Method, Request, Response, RetryPolicy, Transport, Url};

/// The largest body that is read.
const CAP: u64 = 16 << 20;

/// A repository at the registry under judgement.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    transport: Transport,
    registry: Registry,
    repository: String,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Bytes,
    response: Response,
}

impl Wire {
    pub(super) fn new(url: &str, repository: &str, login: Option<&str>) -> Result<Self> {
        let (scheme, host) = url
            .trim_end_matches('/')
            .split_once("://")
            .with_context(|| format!("{url} is not http://HOST or https://HOST"))?;
        let registry: Registry = host.parse().with_context(|| format!("the registry of {url}"))?;
        let hosts = match scheme {
            "http" => Hosts::default().plain_http(registry.clone()),
            "https" => Hosts::default().tls(registry.clone()),
            _ => bail!("{url} is neither http nor https"),
        };
        let keychain: Arc<dyn Keychain> = match login.and_then(|login| login.split_once(':')) {
            None => Arc::new(Anonymous),
            Some((user, password)) => Arc::new(Fixed::for_registry(
                registry.clone(),
                Credential::Basic { username: user.into(), password: Secret::new(password) },
            )),
        };
        let transport = Transport::builder()
            .hosts(hosts)
            .keychain(keychain)
            // What the registry answers first is what is judged.
            .policy(RetryPolicy::none())
            .build()?;
        Ok(Self { transport, registry, repository: repository.to_owned() })
    }

    /// A repository below this one.
    pub(super) fn within(&self, name: &str) -> Self {
        Self { repository: format!("{}/{name}", self.repository), ..self.clone() }
    }

    /// The repository's name, without the registry.
    pub(super) fn repository(&self) -> &str {
        &self.repository
    }

    /// `blobs/sha256:…`, `manifests/v1`, … in this repository.
    pub(super) async fn send(&self, method: &str, path: &str) -> Result<Answer> {
        self.send_with(method, path, &[], Bytes::new()).await
    }

    /// The same, with headers and a body.
    pub(super) async fn send_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> Result<Answer> {
        let path = format!("/v2/{}/{path}", self.repository);
        let request = Request::new(method.parse()?, &self.registry, path);
        self.finish(request, headers, body).await
    }

    /// A path that belongs to no repository.
    pub(super) async fn send_to_root(&self, path: &str) -> Result<Answer> {
        self.finish(Request::new(Method::GET, &self.registry, path), &[], Bytes::new()).await
    }

    /// A request to where the registry said.
    pub(super) async fn send_to(
        &self,
        method: &str,
        url: Url,
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> Result<Answer> {
        let request = Request::new(method.parse()?, &self.registry, "/v2/").to(url);
        self.finish(request, headers, body).await
    }

    async fn finish(
        &self,
        request: Request,
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> Result<Answer> {
        let repository = Repository::new(&self.registry, &self.repository)?;
        let scopes = Scopes::delete(&repository);
        let every: Vec<u16> = (200..600).filter(|status| *status != 401).collect();
        let mut request = request
            .scopes(scopes)
            .resource(Resource::Repository(repository))
            .expect(&every)
            .body(Body::bytes(body));
        for (name, value) in headers {
            request = request.header(name.parse()?, value);
        }
        let mut response = self.transport.send(request).await?;
        let body = response.bytes(CAP).await?;
        Ok(Answer { status: response.status().as_u16(), body, response })
    }

    /// Pushes a blob with POST and PUT.
    pub(super) async fn put_blob(&self, bytes: &Bytes, digest: &str) -> Result<Answer> {
        let url = self.begin().await?;
        self.send_to("PUT", with_digest(url, digest), &[OCTETS], bytes.clone()).await
    }

    /// Begins an upload; where it goes on.
    pub(super) async fn begin(&self) -> Result<Url> {
        let begun = self.send("POST", "blobs/uploads/").await?;
        begun.expect(&[202])?.location()
    }

    /// Pushes an image with all its blobs; the answer to the manifest.
    pub(super) async fn put_image(&self, image: &Image, reference: &str) -> Result<Answer> {
        for blob in image.blobs() {
            self.put_blob(&blob.bytes, &blob.digest).await?.expect(&[201])?;
        }
        self.put_manifest(&image.manifest, reference).await
    }

    /// Pushes a manifest whose blobs are there.
    pub(super) async fn put_manifest(&self, manifest: &Blob, reference: &str) -> Result<Answer> {
        let media_type = [("content-type", manifest.media_type.as_str())];
        let path = format!("manifests/{reference}");
        self.send_with("PUT", &path, &media_type, manifest.bytes.clone()).await
    }
}

/// What every body of a blob is.
pub(super) const OCTETS: (&str, &str) = ("content-type", "application/octet-stream");

/// `Accept` for the manifests that checks use.
pub(super) const ACCEPT: (&str, &str) = (
    "accept",
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json",
);

/// An upload's address, with the digest that ends it.
pub(super) fn with_digest(mut url: Url, digest: &str) -> Url {
    url.query_pairs_mut().append_pair("digest", digest);
    url
}

impl Answer {
    /// This answer, if its status is one of these.
    pub(super) fn expect(self, statuses: &[u16]) -> Result<Self> {
        let text = String::from_utf8_lossy(&self.body);
        let start: String = text.chars().take(200).collect();
        ensure!(
            statuses.contains(&self.status),
            "status {}, not {statuses:?}: {start}",
            self.status
        );
        Ok(self)
    }

    pub(super) fn header(&self, name: &'static str) -> Result<&str> {
        let value = self.response.headers().get(name).and_then(|value| value.to_str().ok());
        value.with_context(|| format!("no {name} in the answer"))
    }

    /// An error if the header is there and says something else.
    pub(super) fn header_is(&self, name: &'static str, expected: &str) -> Result<()> {
        let value = self.header(name)?;
        ensure!(value == expected, "{name} is {value:?}, not {expected:?}");
        Ok(())
    }

    pub(super) fn location(&self) -> Result<Url> {
        Ok(self.response.location()?)
    }

    /// Where the next page is.
    pub(super) fn next_link(&self) -> Result<Option<Url>> {
        Ok(self.response.next_link()?)
    }

    /// The body as JSON.
    pub(super) fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body).context("the body is not JSON")
    }

    /// An error unless the body is in the specification's error format and has one of these codes.
    pub(super) fn error_code(&self, codes: &[&str]) -> Result<()> {
        let body = self.json()?;
        let code = body.pointer("/errors/0/code").and_then(serde_json::Value::as_str);
        ensure!(
            code.is_some_and(|code| codes.contains(&code)),
            "error code {code:?}, not {codes:?}"
        );
        Ok(())
    }
}
