//! Values as they are written in files of several kinds.

use registry_name::Registry;
use url::Url;

use super::document::{Found, Table};
use crate::hosts::{Prefix, PrefixError};

/// A registry, a path below one, or `*.` and a domain.
pub(super) fn prefix(text: &str) -> Result<Prefix, String> {
    if text.contains("://") {
        return Err(format!("{text:?} is a URL; write the host without a scheme"));
    }
    let prefix: Prefix = text.trim_end_matches('/').parse().map_err(|error: PrefixError| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        format!("{text:?} is {error}: {}", cause.unwrap_or_default())
    })?;
    if prefix.registry().is_none() && !prefix.path().is_empty() {
        return Err(format!(
            "{text:?} is not a prefix: a wildcard is *. and a domain, without a path"
        ));
    }
    Ok(prefix)
}

/// A registry, or a path below one.
pub(super) fn location(text: &str) -> Result<Prefix, String> {
    let location = prefix(text)?;
    match location.registry() {
        Some(_) => Ok(location),
        None => Err(format!("{text:?} is a wildcard, not a location")),
    }
}

/// A host name for a realm, or a host of a private network.
pub(super) fn host_name(text: &str) -> Result<String, String> {
    let host = text.to_ascii_lowercase();
    match url::Host::parse(&host) {
        Ok(_) => Ok(host),
        Err(_) => Err(format!("{text:?} is not a host name")),
    }
}

/// `http://` or `https://`, a host, and perhaps a path.
pub(super) fn endpoint(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("{text:?} is not a URL: {error}"))?;
    let fault = if !matches!(url.scheme(), "http" | "https") {
        "does not start with https:// or http://"
    } else if !url.username().is_empty() || url.password().is_some() {
        // The text may hold a password.
        return Err("a URL with a user name or password is not for a configuration file".into());
    } else if url.query().is_some() || url.fragment().is_some() {
        "has a query or a fragment"
    } else {
        return Ok(url);
    };
    Err(format!("{text:?} {fault}"))
}

/// The URL of a proxy, or `none`.
pub(super) fn proxy(text: &str) -> Result<Option<Url>, String> {
    if text == "none" {
        return Ok(None);
    }
    let kinds = "write http://, https://, socks5:// or socks5h:// and a host, or none";
    let url = Url::parse(text).map_err(|error| format!("this is not a URL: {error}; {kinds}"))?;
    let known = matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h");
    let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    if known && bare && url.has_host() {
        return Ok(Some(url));
    }
    Err(format!("this is not the URL of a proxy; {kinds}"))
}

/// The registry whose certificates are for a URL.
pub(super) fn registry_at(url: &Url) -> Option<Registry> {
    let host = url.host_str()?;
    match url.port() {
        Some(port) => format!("{host}:{port}").parse().ok(),
        None => host.parse().ok(),
    }
}

/// A table of headers: a name, and one value or several.
pub(super) fn headers(table: &mut Table<'_>, key: &str) -> Found<Vec<(String, String)>> {
    let pairs = table.pairs(key)?;
    table.parsed(key, pairs, |pairs| {
        let mut headers = Vec::new();
        for (name, values) in pairs {
            http::HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| format!("{name:?} is not the name of a header"))?;
            for value in values {
                headers.push((name.clone(), header_value(value)?));
            }
        }
        Ok(headers)
    })
}

pub(super) fn header_value(text: String) -> Result<String, String> {
    match http::HeaderValue::from_str(&text) {
        Ok(_) => Ok(text),
        // The value may be a secret.
        Err(_) => Err("this is not the value of a header".to_owned()),
    }
}
