//! From a request's path to what it is about. Pure.

use http::{Method, StatusCode, header};
use percent_encoding::percent_decode_str;
use registry_name::{Digest, Identifier};

use crate::name::Name;
use crate::problem::{Code, Problem};
use crate::store::UploadId;

/// A resource of the registry. The comments are the rows of the specification's table of endpoints.
#[derive(Clone, Debug)]
pub(crate) enum Route {
    /// end-1
    Base,
    /// `/v2/_catalog`, from the Docker Registry API.
    Catalog,
    /// end-2, end-10
    Blob(Name, Digest),
    /// end-3, end-7, end-9
    Manifest(Name, Identifier),
    /// end-4, end-11
    Uploads(Name),
    /// end-5, end-6, end-13, end-14
    Upload(Name, UploadId),
    /// end-8
    Tags(Name),
    /// end-12
    Referrers(Name, Digest),
    /// `/token`, where Bearer access hands out tokens.
    Token,
    /// `/healthz`
    Health,
    /// `/metrics`
    Metrics,
}

impl Route {
    pub(crate) fn parse(method: &Method, path: &str) -> Result<Self, Problem> {
        let route = Self::find(path)?;
        if route.methods().contains(method) {
            return Ok(route);
        }
        let allowed: Vec<&str> = route.methods().iter().map(Method::as_str).collect();
        let message = format!("{method} does not apply here");
        let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, Code::Unsupported, message);
        Err(match allowed.join(", ").try_into() {
            Ok(value) => problem.header(header::ALLOW, value),
            Err(_) => problem,
        })
    }

    fn find(path: &str) -> Result<Self, Problem> {
        // Decoded as a whole: what an encoded slash or dot spells has to pass the grammar of names.
        let path = percent_decode_str(path).decode_utf8().map_err(|_| nothing())?;
        match path.as_ref() {
            "/v2" | "/v2/" => return Ok(Self::Base),
            "/v2/_catalog" => return Ok(Self::Catalog),
            "/token" => return Ok(Self::Token),
            "/healthz" => return Ok(Self::Health),
            "/metrics" => return Ok(Self::Metrics),
            _ => {}
        }
        let rest = path.strip_prefix("/v2/").ok_or_else(nothing)?;
        // A component of a name may be `blobs` or `tags` too, so the end decides.
        if let Some(name) = strip_end(rest, "/blobs/uploads") {
            return Ok(Self::Uploads(parse_name(name)?));
        }
        let (head, last) = rest.rsplit_once('/').ok_or_else(nothing)?;
        if let Some(name) = strip_end(head, "/blobs/uploads") {
            return Ok(Self::Upload(parse_name(name)?, parse_upload(last)?));
        }
        let (name, kind) = head.rsplit_once('/').ok_or_else(nothing)?;
        match (kind, last) {
            ("blobs", digest) => Ok(Self::Blob(parse_name(name)?, parse_digest(digest)?)),
            ("manifests", one) => Ok(Self::Manifest(parse_name(name)?, parse_identifier(one)?)),
            ("tags", "list") => Ok(Self::Tags(parse_name(name)?)),
            ("referrers", digest) => Ok(Self::Referrers(parse_name(name)?, parse_digest(digest)?)),
            _ => Err(nothing()),
        }
    }

    fn methods(&self) -> &'static [Method] {
        const READ: &[Method] = &[Method::GET, Method::HEAD];
        match self {
            Self::Base
            | Self::Catalog
            | Self::Tags(_)
            | Self::Referrers(..)
            | Self::Health
            | Self::Metrics => READ,
            Self::Blob(..) => &[Method::GET, Method::HEAD, Method::DELETE],
            Self::Manifest(..) => &[Method::GET, Method::HEAD, Method::PUT, Method::DELETE],
            Self::Uploads(_) => &[Method::POST],
            Self::Upload(..) => {
                &[Method::GET, Method::HEAD, Method::PATCH, Method::PUT, Method::DELETE]
            }
            Self::Token => &[Method::GET, Method::POST],
        }
    }
}

/// The name before a suffix that may be followed by one slash.
fn strip_end<'a>(path: &'a str, suffix: &str) -> Option<&'a str> {
    path.strip_suffix('/').unwrap_or(path).strip_suffix(suffix)
}

pub(crate) fn parse_name(text: &str) -> Result<Name, Problem> {
    Name::parse(text).map_err(|error| {
        Problem::invalid(Code::NameInvalid, format!("not a repository's name: {error}"))
    })
}

pub(crate) fn parse_digest(text: &str) -> Result<Digest, Problem> {
    text.parse().map_err(|error| {
        Problem::invalid(Code::DigestInvalid, format!("not a digest that is known here: {error}"))
    })
}

fn parse_identifier(text: &str) -> Result<Identifier, Problem> {
    // No tag has a colon, so the client meant a digest.
    if text.contains(':') {
        return parse_digest(text).map(Identifier::Digest);
    }
    text.parse()
        .map(Identifier::Tag)
        .map_err(|error| Problem::invalid(Code::TagInvalid, format!("not a tag: {error}")))
}

fn parse_upload(text: &str) -> Result<UploadId, Problem> {
    text.parse().map_err(|_| unknown_upload())
}

pub(crate) fn nothing() -> Problem {
    Problem::unknown(Code::Unsupported, "there is nothing at this path")
}

/// No such upload: never begun, finished, cancelled or expired.
pub(crate) fn unknown_upload() -> Problem {
    Problem::unknown(Code::BlobUploadUnknown, "there is no such upload; begin another")
}

#[cfg(test)]
mod tests;
