//! What is logged about a request and its answer at debug: one event each, with nothing secret in it.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http::HeaderMap;
use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderName, HeaderValue, LOCATION,
    PROXY_AUTHORIZATION, SET_COOKIE,
};
use serde_json::Value;
use tracing::Level;
use url::Url;

use super::{HttpError, HttpRequest, HttpResponse, ResponseBody};
use crate::redact::{REDACTED, RedactedUrl};
use crate::text::sanitise;

/// A JSON body up to this size is logged, in bytes.
const SMALL: usize = 4 << 10;

/// Logs a request that is about to go out.
pub(crate) fn request(request: &HttpRequest) {
    tracing::debug!(
        method = %request.method,
        url = %RedactedUrl::from(&request.url),
        headers = %shown_headers(&request.headers),
        body = request.body.size(),
        "request"
    );
}

/// Logs the head of an answer. A small JSON body is logged when it has been read.
pub(crate) fn answer(url: &Url, answer: HttpResponse) -> HttpResponse {
    if !tracing::enabled!(Level::DEBUG) {
        return answer;
    }
    let url = RedactedUrl::from(url);
    tracing::debug!(
        status = answer.status.as_u16(),
        %url,
        headers = %shown_headers(&answer.headers),
        "answer"
    );
    let HttpResponse { status, headers, body } = answer;
    let body: ResponseBody = if is_small_json(&headers) {
        Box::pin(Watched { body, seen: Some(BytesMut::new()), url })
    } else {
        body
    };
    HttpResponse { status, headers, body }
}

/// Logs that no answer came.
pub(super) fn failure(url: &Url, error: &HttpError) {
    tracing::debug!(url = %RedactedUrl::from(url), %error, "no answer");
}

/// A body that is kept while it is read, as long as it is small.
struct Watched {
    body: ResponseBody,
    seen: Option<BytesMut>,
    url: RedactedUrl,
}

impl Stream for Watched {
    type Item = Result<Bytes, HttpError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.body.as_mut().poll_next(context);
        match &next {
            Poll::Ready(Some(Ok(bytes))) => {
                if let Some(mut seen) = self.seen.take()
                    && seen.len() + bytes.len() <= SMALL
                {
                    seen.extend_from_slice(bytes);
                    self.seen = Some(seen);
                }
            }
            Poll::Ready(None) => {
                let seen = self.seen.take().and_then(|seen| shown_json(&seen));
                if let Some(body) = seen {
                    tracing::debug!(url = %self.url, %body, "body");
                }
            }
            _ => {}
        }
        next
    }
}

fn is_small_json(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let essence = text(CONTENT_TYPE).unwrap_or_default().split(';').next().unwrap_or_default();
    let length = text(CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    let json = essence.trim().ends_with("/json") || essence.trim().ends_with("+json");
    json && length.is_none_or(|length| length <= SMALL)
}

/// All headers on one line. What is sensitive by its type or its name is masked; URLs lose their signatures.
pub(super) fn shown_headers(headers: &HeaderMap) -> String {
    let shown = headers.iter().map(|(name, value)| format!("{name}: {}", shown_value(name, value)));
    shown.collect::<Vec<_>>().join(", ")
}

fn shown_value(name: &HeaderName, value: &HeaderValue) -> String {
    if value.is_sensitive()
        || [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE, SET_COOKIE].contains(name)
        || is_secret_name(name.as_str())
    {
        return REDACTED.to_owned();
    }
    let text = String::from_utf8_lossy(value.as_bytes());
    match name {
        &LOCATION => shown_reference(&text),
        _ => sanitise(&without_queries(&text), 300),
    }
}

/// A text in which every query of a URL, as in a link or a challenge, is masked.
fn without_queries(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, query)) = rest.split_once('?') {
        let end = query.find(['"', '>', '<', ' ', ',', ';']).unwrap_or(query.len());
        shown.push_str(before);
        shown.push('?');
        shown.push_str(REDACTED);
        rest = query.get(end..).unwrap_or_default();
    }
    shown + rest
}

/// A URL, or a reference that is relative to one.
fn shown_reference(text: &str) -> String {
    let hidden = match text.parse::<Url>() {
        Ok(url) => RedactedUrl::from(&url).to_string(),
        Err(_) => match text.split_once(['?', '#']) {
            Some((path, _)) => format!("{path}?{REDACTED}"),
            None => text.to_owned(),
        },
    };
    sanitise(&hidden, 300)
}

/// Names of headers and JSON fields whose values are never shown.
fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['-', '_'], "");
    ["token", "secret", "password", "credential", "apikey", "privatekey", "cookie", "signature"]
        .iter()
        .any(|word| name.contains(word))
        || name.contains("authorization")
}

/// A JSON document on one line, without its secrets. Nothing where it is no JSON.
pub(super) fn shown_json(body: &[u8]) -> Option<String> {
    let mut value = serde_json::from_slice(body).ok()?;
    redact(&mut value);
    Some(sanitise(&value.to_string(), SMALL))
}

fn redact(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                match value {
                    Value::String(text) if is_secret_name(name) => REDACTED.clone_into(text),
                    value => redact(value),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(redact),
        Value::String(text) if text.contains("://") => *text = shown_reference(text),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_may_be_secret_is_masked() {
        let mut headers = HeaderMap::new();
        let mut marked = HeaderValue::from_static("canary");
        marked.set_sensitive(true);
        headers.insert("x-mine", marked);
        for (name, value) in [
            ("authorization", "Basic canary"),
            ("set-cookie", "a=canary"),
            ("x-gitlab-token", "canary"),
            ("x-amz-security-token", "canary"),
            ("location", "https://u:canary@e/x?X-Amz-Signature=canary&n=1"),
            ("link", "</v2/a?last=b&state=canary>; rel=\"next\""),
            ("www-authenticate", "Bearer realm=\"https://e/token?x=canary\",service=\"s\""),
            ("content-type", "text/plain"),
            ("warning", "299 - \"\u{9b}\""),
        ] {
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let shown = shown_headers(&headers);
        assert!(!shown.contains("canary") && !shown.contains('\u{9b}'), "{shown}");
        for part in [
            "x-mine: REDACTED",
            "location: https://REDACTED@e/x?X-Amz-Signature=REDACTED&n=1",
            "link: </v2/a?REDACTED>; rel=\"next\"",
            "Bearer realm=\"https://e/token?REDACTED\",service=\"s\"",
            "content-type: text/plain",
        ] {
            assert!(shown.contains(part), "{part} is not in {shown}");
        }
    }

    #[test]
    fn a_token_is_masked_wherever_it_stands_in_a_document() {
        let shown = |body: &str| shown_json(body.as_bytes());
        assert_eq!(
            shown(r#"{"token":"canary","expires_in":60,"a":[{"refresh_token":"canary"}],"access_token":null}"#)
                .as_deref(),
            Some(
                r#"{"a":[{"refresh_token":"REDACTED"}],"access_token":null,"expires_in":60,"token":"REDACTED"}"#
            )
        );
        assert_eq!(
            shown(r#"["https://e/x?sig=canary","plain"]"#).as_deref(),
            Some(r#"["https://e/x?sig=REDACTED","plain"]"#)
        );
        assert_eq!(shown("token=canary"), None);
    }
}
