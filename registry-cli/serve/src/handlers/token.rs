//! `/token`.

use http::Response;
use http::header::{CACHE_CONTROL, HeaderValue};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use crate::access::TokenRequest;
use crate::body::Body;
use crate::problem::{Code, Problem};
use crate::server::{Call, json};

/// A form is a handful of short fields.
const FORM: usize = 64 << 10;

pub(super) async fn token(call: &Call<'_>, body: &mut Incoming) -> Result<Response<Body>, Problem> {
    let posted = call.method == http::Method::POST;
    let parameters = if posted { form(call, body).await? } else { call.query.clone() };
    let request = TokenRequest { parameters: &parameters, form: posted };
    let mut response = json(&call.server.guard.token(call.headers, &request).await?)?;
    // RFC 6749 section 5.1.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

async fn form(call: &Call<'_>, body: &mut Incoming) -> Result<Vec<(String, String)>, Problem> {
    let collected = Limited::new(body, FORM).collect();
    match tokio::time::timeout(call.server.limits.idle, collected).await {
        Ok(Ok(form)) => Ok(url::form_urlencoded::parse(&form.to_bytes()).into_owned().collect()),
        _ => Err(Problem::invalid(Code::Unsupported, "the form is too long, or was cut short")),
    }
}
