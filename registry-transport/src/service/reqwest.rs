//! The built-in service: reqwest, with everything switched off that this crate decides itself.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};
use url::Url;

use super::classify::{body_error, request_error};
use super::connect::Counted;
use super::resolve::Resolver;
use super::{HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService, Route, tls};
use crate::error::Error;
use crate::event::Tally;
use crate::hosts::{Connection, Servers};
use crate::origin::{Origin, is_private_host};

/// Sends requests through reqwest. A client is built for each way to connect when it is first needed.
pub(crate) struct Reqwest {
    deadline: Duration,
    servers: Arc<Servers>,
    environment: Matcher,
    tally: Arc<Tally>,
    clients: Mutex<HashMap<Way, Client>>,
    /// Servers that said that only HTTP/1.1 will do.
    http1: Mutex<HashSet<Origin>>,
}

/// One way to connect, with a pool of connections of its own.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Way {
    route: Route,
    via: Via,
    /// With certificates, which take a while to load.
    tls: bool,
    connection: Arc<Connection>,
}

/// Whether there is somebody in between.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Via {
    Nobody,
    /// The proxy that the environment names.
    Environment,
    /// The proxy that was configured for the host.
    Configured,
}

/// Idle connections to keep per host: as many as the most transfers that anybody runs at a time. One that is closed between
/// two blobs costs its round trips again.
const IDLE_PER_HOST: usize = 64;

impl Reqwest {
    /// Fails on certificates that cannot be used.
    pub(crate) fn new(
        deadline: Duration,
        servers: Arc<Servers>,
        tally: Arc<Tally>,
    ) -> Result<Self, Error> {
        servers.hosts().connections().try_for_each(tls::check)?;
        let environment = Matcher::from_system();
        let (clients, http1) = Default::default();
        Ok(Self { deadline, servers, environment, tally, clients, http1 })
    }

    fn client(&self, url: &Url, route: Route) -> Result<(Client, Via), Error> {
        let origin = Origin::of(url);
        let connection = match &origin {
            Some(origin) => Arc::clone(&self.servers.of(origin)?.connection),
            None => Arc::default(),
        };
        let via = self.via(url, &connection);
        let tls = url.scheme() == "https";
        // Without TLS there is no HTTP/2 to keep away from, and one pool serves better than two.
        let http1 = route.bulk || origin.is_some_and(|origin| self.http1().contains(&origin));
        let bulk = http1 && tls && cfg!(feature = "http2");
        // A proxy resolves names itself, and may well be on a private network.
        let public_only = route.public_only && via == Via::Nobody;
        let way = Way { route: Route { bulk, public_only, ..route }, via, tls, connection };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&way) {
            return Ok((client.clone(), via));
        }
        let client = tls::build(&way.connection, tls, bulk, || self.builder(&way))?;
        clients.insert(way, client.clone());
        Ok((client, via))
    }

    fn http1(&self) -> MutexGuard<'_, HashSet<Origin>> {
        self.http1.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A configured proxy is used whatever the host; the environment's never for this machine itself.
    fn via(&self, url: &Url, connection: &Connection) -> Via {
        match &connection.proxy {
            Some(proxy) if proxy.url().is_some() => Via::Configured,
            Some(_) => Via::Nobody,
            None if is_this_machine(url) => Via::Nobody,
            None => {
                let uri = url.as_str().parse().ok();
                match uri.and_then(|uri| self.environment.intercept(&uri)) {
                    Some(_) => Via::Environment,
                    None => Via::Nobody,
                }
            }
        }
    }

    fn builder(&self, way: &Way) -> ClientBuilder {
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
            .connector_layer(Counted::new(&self.tally))
            .pool_max_idle_per_host(if way.route.fresh { 0 } else { IDLE_PER_HOST });
        if way.via != Via::Environment {
            builder = builder.no_proxy();
        }
        if let (Via::Configured, Some(proxy)) = (way.via, &way.connection.proxy) {
            builder = proxy.add_to(builder);
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
        let (client, via) = self
            .client(&url, route)
            .map_err(|error| HttpError::new(HttpErrorKind::Unsupported).with_cause(error))?;
        // The proxy answers a plain request itself; through a tunnel only the server does.
        let asks_proxy = via != Via::Nobody && url.scheme() == "http";
        let origin = Origin::of(&url);
        let mut outgoing = reqwest::Request::new(method, url);
        *outgoing.headers_mut() = headers;
        if body.size() > 0 {
            *outgoing.body_mut() = Some(reqwest::Body::wrap(body));
        }
        let answer = client.execute(outgoing).await;
        let mut answer = answer.map_err(|error| {
            let error = request_error(error, via != Via::Nobody);
            if error.kind() == HttpErrorKind::Http1Required {
                self.http1().extend(origin);
            }
            error
        })?;
        let status = answer.status();
        if asks_proxy && status == http::StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            return Err(HttpError::new(HttpErrorKind::Proxy)
                .with_cause("proxy authorization required")
                .with_hint(super::classify::PROXY_LOGIN));
        }
        let headers = std::mem::take(answer.headers_mut());
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
