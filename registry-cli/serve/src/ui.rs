//! The web page for people: `/` and everything below `/ui/`.
//!
//! Plain HTML, made here, with nothing from elsewhere. A request passes the same guard as one of
//! the API; only a browser cannot fetch tokens, so Basic is accepted where the API wants Bearer.
//! Text of a registry's content reaches a page through [`html::Html`] only, which escapes it.

use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use hyper::body::Incoming;
use registry_name::Identifier;

use crate::access::{Caller, Scope};
use crate::body::{self, Body};
use crate::handlers;
use crate::problem::Problem;
use crate::route::Route;
use crate::server::{Call, Server};
use crate::work::blocking;
use address::Address;
use view::View;

mod address;
mod assets;
mod config;
mod document;
mod html;
mod json;
mod list;
mod manifest;
mod repositories;
mod shell;
mod show;
mod tags;
mod tree;
mod view;

/// Nothing but our own files; `sandbox` is for content that is not ours.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const RAW_POLICY: &str = "default-src 'none'; sandbox; frame-ancestors 'none'";

/// Whether a path belongs to the web page.
pub(crate) fn is_here(path: &str) -> bool {
    path == "/" || path == "/ui" || path.starts_with("/ui/")
}

/// Answers a request for a page; a refusal is a page too.
pub(crate) async fn respond(server: &Server, parts: &Parts, body: &mut Incoming) -> Response<Body> {
    match answer(server, parts, body).await {
        Ok(response) => response,
        Err(problem) => {
            let refusal = problem.into_response();
            let mut response = page(refusal.status(), shell::refusal(refusal.status()));
            for (name, value) in refusal.headers().iter().filter(|(name, _)| **name != CONTENT_TYPE)
            {
                response.headers_mut().append(name, value.clone());
            }
            response
        }
    }
}

async fn answer(
    server: &Server,
    parts: &Parts,
    body: &mut Incoming,
) -> Result<Response<Body>, Problem> {
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        let mut response = page(status, shell::refusal(status));
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Ok(response);
    }
    let address = Address::parse(parts.uri.path());
    if let Some(Address::Asset(asset)) = address {
        return Ok(asset.response());
    }
    // Who is not let in does not learn what exists.
    let needed = address.as_ref().map(needs);
    let caller = server.guard.admit_browser(&parts.headers, needed.as_slice()).await?;
    let query = parts.uri.query().unwrap_or_default();
    let query: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let view = View::new(server, parts, &query, caller.clone());
    let made = match address {
        Some(Address::Blob(name, digest)) => {
            let route = Route::Blob(name, digest);
            return raw(server, parts, caller, route, body).await;
        }
        Some(Address::RawManifest(name, digest)) => {
            let route = Route::Manifest(name, Identifier::Digest(digest));
            return raw(server, parts, caller, route, body).await;
        }
        Some(Address::Repositories) => blocking(move || repositories::page(&view)).await?,
        Some(Address::Repository(name)) => blocking(move || tags::page(&view, &name)).await?,
        Some(Address::Manifest(name, identifier)) => {
            blocking(move || manifest::page(&view, &name, &identifier)).await?
        }
        Some(Address::Asset(_)) | None => None,
    };
    Ok(match made {
        Some(made) => page(StatusCode::OK, made),
        None => page(StatusCode::NOT_FOUND, shell::refusal(StatusCode::NOT_FOUND)),
    })
}

/// The scope that the API asks for where it tells the same.
fn needs(address: &Address) -> Scope {
    match address {
        Address::Repositories | Address::Asset(_) => Scope::catalog(),
        Address::Repository(name)
        | Address::Manifest(name, _)
        | Address::RawManifest(name, _)
        | Address::Blob(name, _) => Scope::repository(name, &["pull"]),
    }
}

/// The API's own answer, made harmless: a browser neither guesses what it is nor runs it.
async fn raw(
    server: &Server,
    parts: &Parts,
    caller: Caller,
    route: Route,
    body: &mut Incoming,
) -> Result<Response<Body>, Problem> {
    let (content_type, disposition) = match route {
        Route::Manifest(..) => ("text/plain; charset=utf-8", "inline"),
        _ => ("application/octet-stream", "attachment"),
    };
    let (method, path, headers) = (&parts.method, parts.uri.path(), &parts.headers);
    let call = Call { server, method, path, headers, query: Vec::new(), caller };
    let mut response = handlers::dispatch(&call, route, body).await?;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static(disposition));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(RAW_POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

fn page(status: StatusCode, page: html::Html) -> Response<Body> {
    let mut response = Response::new(body::full(page.into_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        // Another user of the same browser must not find it.
        (CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
