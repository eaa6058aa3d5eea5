//! The built-in service: reqwest, with everything switched off that this crate decides itself.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};
use url::Url;

use super::classify::{body_error, request_error};
use super::resolve::Resolver;
use super::tls::Roots;
use super::{HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService, Route};
use crate::error::Error;
use crate::origin::is_private_host;

/// How connections are made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connect {
    /// Until a connection stands.
    pub(crate) deadline: Duration,
    /// Certificate authorities beside the system's own, PEM.
    pub(crate) certificates: Vec<Arc<[u8]>>,
}

/// Sends requests through reqwest. A client is built for each way to connect when it is first needed.
pub(crate) struct Reqwest {
    deadline: Duration,
    roots: Roots,
    clients: Mutex<HashMap<Way, Client>>,
}

/// One way to connect, with a pool of connections of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Way {
    route: Route,
    /// Past any proxy: this machine is never reached through one.
    direct: bool,
    /// With certificates, which take a while to load.
    tls: bool,
}

/// Idle connections to keep per host; more than our own parallelism is a waste of both sides.
const IDLE_PER_HOST: usize = 8;

impl Reqwest {
    pub(crate) fn new(connect: &Connect) -> Result<Self, Error> {
        Ok(Self {
            deadline: connect.deadline,
            roots: Roots::read(&connect.certificates)?,
            clients: Mutex::new(HashMap::new()),
        })
    }

    fn client(&self, url: &Url, route: Route) -> Result<Client, HttpError> {
        let tls = url.scheme() == "https";
        let bulk = route.bulk && cfg!(feature = "http2");
        let way = Way { route: Route { bulk, ..route }, direct: is_this_machine(url), tls };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&way) {
            return Ok(client.clone());
        }
        let client = self
            .roots
            .build(tls, || self.builder(way))
            .map_err(|error| HttpError::new(HttpErrorKind::Unsupported).with_cause(error))?;
        clients.insert(way, client.clone());
        Ok(client)
    }

    fn builder(&self, way: Way) -> ClientBuilder {
        let mut builder = Client::builder()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            // Another crate can switch these features on for the whole program, and then lengths and digests fail.
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .no_hickory_dns()
            .dns_resolver(Resolver { public_only: way.route.public_only })
            .connect_timeout(self.deadline)
            .pool_max_idle_per_host(if way.route.fresh { 0 } else { IDLE_PER_HOST });
        if way.direct {
            builder = builder.no_proxy();
        }
        if way.route.bulk {
            builder = builder.http1_only();
        }
        builder
    }
}

#[async_trait]
impl HttpService for Reqwest {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let HttpRequest { method, url, headers, body, route } = request;
        if url.scheme() == "https" && cfg!(not(any(feature = "rustls", feature = "native-tls"))) {
            return Err(HttpError::new(HttpErrorKind::Unsupported)
                .with_cause("this program was built without TLS support"));
        }
        let client = self.client(&url, route)?;
        let mut outgoing = reqwest::Request::new(method, url);
        *outgoing.headers_mut() = headers;
        if body.size() > 0 {
            *outgoing.body_mut() = Some(reqwest::Body::wrap(body));
        }
        let mut answer = client.execute(outgoing).await.map_err(request_error)?;
        let headers = std::mem::take(answer.headers_mut());
        let status = answer.status();
        let body = answer.bytes_stream().map_err(body_error);
        Ok(HttpResponse::new(status, headers, Box::pin(body)))
    }
}

/// Whether a URL is this machine as it is written; neither proxies nor the rest of the network is asked then.
fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(_)) => is_private_host(url),
        None => false,
    }
}

impl fmt::Debug for Reqwest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reqwest").field("connect", &self.deadline).finish_non_exhaustive()
    }
}
