//! What each endpoint does.

use http::header::{CONTENT_TYPE, HeaderName, InvalidHeaderValue};
use http::{HeaderValue, Method, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::json;

use crate::body::{self, Body};
use crate::problem::Problem;
use crate::route::{Route, nothing};
use crate::server::{Call, json};

mod blobs;
mod lists;
mod manifests;
mod token;
mod uploads;

pub(crate) async fn dispatch(
    call: &Call<'_>,
    route: Route,
    body: &mut Incoming,
) -> Result<Response<Body>, Problem> {
    let method = call.method;
    match route {
        Route::Base => json(&json!({})),
        Route::Health => json(&json!({ "status": "ok" })),
        Route::Metrics => metrics(call),
        Route::Token => token::token(call, body).await,
        Route::Catalog => lists::catalog(call).await,
        Route::Tags(name) => lists::tags(call, name).await,
        Route::Referrers(name, subject) => lists::referrers(call, name, subject).await,
        Route::Blob(name, digest) if method == Method::DELETE => {
            blobs::delete(call, name, digest).await
        }
        Route::Blob(name, digest) => blobs::pull(call, name, digest).await,
        Route::Manifest(name, one) if method == Method::PUT => {
            manifests::push(call, name, one, body).await
        }
        Route::Manifest(name, one) if method == Method::DELETE => {
            manifests::delete(call, name, one).await
        }
        Route::Manifest(name, one) => manifests::pull(call, name, one).await,
        Route::Uploads(name) => uploads::begin(call, &name, body).await,
        Route::Upload(name, id) => match *method {
            Method::PATCH => uploads::append(call, &name, &id, body).await,
            Method::PUT => uploads::finish(call, &name, &id, body).await,
            Method::DELETE => uploads::cancel(call, &name, &id).await,
            _ => uploads::status(call, &name, &id).await,
        },
    }
}

fn metrics(call: &Call<'_>) -> Result<Response<Body>, Problem> {
    if !call.server.limits.metrics {
        return Err(nothing());
    }
    let text = call.server.metrics.text(call.server.gauges());
    Answer::of(StatusCode::OK, body::full(text))
        .header(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")
        .done()
}

/// A response without a body.
struct Answer(Result<Response<Body>, InvalidHeaderValue>);

impl Answer {
    fn new(status: StatusCode) -> Self {
        Self::of(status, body::empty())
    }

    fn of(status: StatusCode, body: Body) -> Self {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        Self(Ok(response))
    }

    fn header(self, name: HeaderName, value: &(impl ToString + ?Sized)) -> Self {
        Self(self.0.and_then(|mut response| {
            let value = HeaderValue::try_from(value.to_string())?;
            response.headers_mut().append(name, value);
            Ok(response)
        }))
    }

    fn done(self) -> Result<Response<Body>, Problem> {
        self.0.map_err(|error| std::io::Error::other(error).into())
    }
}

/// Headers that are the specification's own.
mod headers {
    use http::HeaderName;

    pub(super) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
    pub(super) const UPLOAD_ID: HeaderName = HeaderName::from_static("docker-upload-uuid");
    pub(super) const CHUNK_MIN: HeaderName = HeaderName::from_static("oci-chunk-min-length");
    pub(super) const FILTERS: HeaderName = HeaderName::from_static("oci-filters-applied");
    pub(super) const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
    pub(super) const TAG: HeaderName = HeaderName::from_static("oci-tag");
}
