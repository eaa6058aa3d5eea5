//! A server that requests pass through.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use registry_authn::Secret;
use url::Url;

use crate::error::{Error, ErrorKind};
use crate::redact::RedactedUrl;

/// How a registry is reached: through a proxy, or past all of them.
///
/// A proxy is an `http`, `https`, `socks5` or `socks5h` URL, with a user name and password if it wants them; those go to the
/// proxy and nowhere else, and `Debug` does not show them. With `socks5` this machine resolves host names, with `socks5h`
/// the proxy does; both need the feature `socks`.
///
/// Without such a setting the environment decides: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, upper or lower
/// case. This machine's own addresses are then never asked through a proxy.
///
/// ```
/// use registry_transport::{Host, Proxy};
///
/// # fn main() -> Result<(), registry_transport::Error> {
/// let proxy: Proxy = "http://user:password@proxy.example:3128".parse()?;
/// assert!(!format!("{proxy:?}").contains("password"));
/// let through = Host::new().proxy(proxy);
/// let past = Host::new().proxy(Proxy::none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Proxy(Option<Address>);

#[derive(Clone)]
struct Address {
    /// Without user information.
    url: Url,
    login: Option<(String, Secret)>,
}

impl Proxy {
    /// No proxy, whatever the environment says.
    pub fn none() -> Self {
        Self(None)
    }

    /// Its URL without user information.
    pub(crate) fn url(&self) -> Option<&Url> {
        self.0.as_ref().map(|address| &address.url)
    }

    /// Sends everything that a client sends through it.
    pub(crate) fn add_to(&self, builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        let Some(url) = self.url() else { return builder };
        // It was checked when it was made.
        let Ok(mut proxy) = reqwest::Proxy::all(url.clone()) else { return builder };
        if let Some((user, password)) = self.login() {
            proxy = proxy.basic_auth(user, password.expose());
        }
        builder.proxy(proxy)
    }

    pub(crate) fn login(&self) -> Option<(&str, &Secret)> {
        let (user, password) = self.0.as_ref()?.login.as_ref()?;
        Some((user, password))
    }
}

impl TryFrom<Url> for Proxy {
    type Error = Error;

    fn try_from(mut url: Url) -> Result<Self, Error> {
        let refuse = |what: &str| {
            let shown = RedactedUrl::from(&url);
            Err(Error::new(ErrorKind::Config, format!("the proxy {shown} {what}")))
        };
        match url.scheme() {
            "http" | "https" => {}
            "socks5" | "socks5h" if cfg!(feature = "socks") => {}
            "socks5" | "socks5h" => {
                return refuse("needs SOCKS, which this program was built without");
            }
            _ => return refuse("is none of http, https, socks5 and socks5h"),
        }
        if url.host_str().is_none_or(str::is_empty) {
            return refuse("has no host");
        }
        let login = (!url.username().is_empty() || url.password().is_some()).then(|| {
            let password = decoded(url.password().unwrap_or_default());
            (decoded(url.username()), Secret::new(password))
        });
        // Both fail only for a URL without a host.
        let _ = url.set_password(None);
        let _ = url.set_username("");
        Ok(Self(Some(Address { url, login })))
    }
}

impl FromStr for Proxy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        // `proxy.example:3128` is how people write it.
        let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        // The cause and the text are left out: either may hold the password.
        let url: Url = whole
            .parse()
            .map_err(|_| Error::new(ErrorKind::Config, "the configured proxy is not a URL"))?;
        url.try_into()
    }
}

/// User information as it was before it became part of a URL.
fn decoded(text: &str) -> String {
    // A form encodes a space as a plus; user information does not.
    let escaped = text.replace('+', "%2B");
    url::form_urlencoded::parse(escaped.replace('&', "%26").replace('=', "%3D").as_bytes())
        .map(|(key, _)| key.into_owned())
        .next()
        .unwrap_or_default()
}

impl PartialEq for Proxy {
    fn eq(&self, other: &Self) -> bool {
        let login = |proxy: &Self| {
            proxy.login().map(|(user, secret)| (user.to_owned(), secret.expose().to_owned()))
        };
        self.url() == other.url() && login(self) == login(other)
    }
}

impl Eq for Proxy {}

impl Hash for Proxy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.url().hash(state);
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(address) => write!(f, "Proxy({})", RedactedUrl::from(&address.url)),
            None => f.write_str("Proxy(none)"),
        }
    }
}
