//! A registry that sends its client somewhere else, in every place where a server chooses a URL. No sockets: the addresses
//! are those of the world outside.

use std::fmt::Write as _;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use registry_transport::service::{HttpError, HttpRequest, HttpResponse, HttpService};
use registry_transport::{HeaderMap, Method, StatusCode, Url, header};

/// The registry, and its own token endpoint: the same host on another port. Addresses, since nothing is looked up for those.
pub(crate) const HOME: &str = "https://8.8.8.8";
pub(crate) const REALM: &str = "https://8.8.8.8:8443/token";

/// Where a server chooses the next URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A GET is redirected.
    Redirect,
    /// A PUT with a body is redirected (307).
    PutRedirect,
    /// The realm of the challenge.
    Realm,
    /// The token endpoint redirects.
    RealmRedirect,
    /// The `Location` of an upload.
    Location,
    /// The `Link` to the next page.
    Link,
    /// A mirror, which the user chose, redirects nowhere and asks for a login.
    Mirror,
}

/// What it asks to be shown at home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    Basic,
    Bearer,
}

/// Plays the registry, its token endpoint and everybody else; keeps all that it was sent, by origin.
#[derive(Debug)]
pub(crate) struct Hostile {
    pub(crate) place: Place,
    pub(crate) wants: Wants,
    /// The origin that it sends its client to.
    pub(crate) target: &'static str,
    /// Whether the target sends the client back home.
    pub(crate) back: bool,
    pub(crate) seen: Mutex<Vec<Seen>>,
}

/// One request: where it went, and everything in it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) origin: String,
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Hostile {
    /// A URL at the target. Its signature is for the target alone.
    fn away(&self, path: &str) -> String {
        format!("{}{path}?X-Amz-Signature=canary-signature", self.target)
    }

    fn redirect(&self, place: Place, path: &str) -> Option<(u16, Headers)> {
        (self.place == place).then(|| (307, vec![("location", self.away(path))]))
    }

    fn challenge(&self) -> (u16, Headers) {
        let realm = match self.place {
            Place::Realm => self.away("/token"),
            _ => REALM.to_owned(),
        };
        let challenge = match self.wants {
            Wants::Basic => "Basic realm=\"home\"".to_owned(),
            Wants::Bearer => format!("Bearer realm=\"{realm}\",service=\"home\""),
        };
        (401, vec![("www-authenticate", challenge)])
    }

    fn at_home(&self, method: &Method, path: &str, with_proof: bool) -> (u16, Headers) {
        if !with_proof {
            return self.challenge();
        }
        let answer = match (method, path) {
            (&Method::GET, "/v2/app/blobs/x") => self.redirect(Place::Redirect, "/blob"),
            (&Method::GET, "/v2/app/tags/list") if self.place == Place::Link => {
                Some((200, vec![("link", format!("<{}>; rel=next", self.away("/page")))]))
            }
            (&Method::POST, _) if self.place == Place::Location => {
                Some((202, vec![("location", self.away("/upload"))]))
            }
            (&Method::POST, _) => Some((202, vec![("location", format!("{HOME}/v2/upload"))])),
            (&Method::PUT, _) => self.redirect(Place::PutRedirect, "/put"),
            _ => None,
        };
        answer.unwrap_or((200, Vec::new()))
    }

    /// Asks for everything it could be told, or sends its visitor back.
    fn elsewhere(&self) -> (u16, Headers) {
        if self.back {
            return (307, vec![("location", format!("{HOME}/v2/back"))]);
        }
        let challenge = match self.wants {
            Wants::Basic => "Basic realm=\"home\"".to_owned(),
            Wants::Bearer => format!("Bearer realm=\"{}\"", self.away("/token")),
        };
        (401, vec![("www-authenticate", challenge)])
    }
}

type Headers = Vec<(&'static str, String)>;

#[async_trait]
impl HttpService for Hostile {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (url, with_proof) = (&request.url, request.headers.contains_key(header::AUTHORIZATION));
        let origin = url.origin().ascii_serialization();
        let path = url.path().to_owned();
        let (status, headers) = if origin == HOME {
            self.at_home(&request.method, &path, with_proof)
        } else if url.as_str().starts_with(REALM) {
            self.redirect(Place::RealmRedirect, "/token").unwrap_or((200, Vec::new()))
        } else {
            self.elsewhere()
        };
        let is_token = path == "/token" && status == 200;
        let text = everything_in(request).await;
        self.seen.lock().unwrap().push(Seen { origin, path, text });
        let header = |(name, value): (&'static str, String)| {
            (header::HeaderName::from_static(name), value.parse().unwrap())
        };
        let mut headers: HeaderMap = headers.into_iter().map(header).collect();
        let mut body = "";
        if is_token {
            headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
            body = r#"{"token":"canary-bearer","refresh_token":"canary-refresh","expires_in":300}"#;
        }
        let body = stream::iter([Ok(Bytes::from_static(body.as_bytes()))]);
        Ok(HttpResponse::new(StatusCode::from_u16(status).unwrap(), headers, Box::pin(body)))
    }
}

/// The URL, every header and the body, Basic decoded.
async fn everything_in(request: HttpRequest) -> String {
    use base64::Engine as _;
    let mut text = format!("{} {}\n", request.method, request.url);
    for (name, value) in &request.headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let basic = value.strip_prefix("Basic ");
        let decoded =
            basic.and_then(|it| base64::engine::general_purpose::STANDARD.decode(it).ok());
        let decoded = String::from_utf8_lossy(&decoded.unwrap_or_default()).into_owned();
        writeln!(text, "{name}: {value} {decoded}").unwrap();
    }
    let mut body = std::pin::pin!(request.body);
    while let Some(frame) =
        std::future::poll_fn(|context| http_body::Body::poll_frame(body.as_mut(), context)).await
    {
        text += &String::from_utf8_lossy(&frame.unwrap().into_data().unwrap_or_default());
    }
    text
}

/// Same origin or not, as a text.
pub(crate) fn origin_of(url: &str) -> String {
    url.parse::<Url>().unwrap().origin().ascii_serialization()
}
