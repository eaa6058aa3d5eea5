//! Requests and answers of the registry in memory, for a service with no sockets in between.

use std::pin::pin;

use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use registry_faults::origin;
use registry_transport::service::{HttpRequest, HttpResponse, RequestBody};

pub(crate) async fn request(request: HttpRequest) -> origin::Request {
    let body = collect(request.body).await;
    let target = &request.url[url::Position::BeforePath..];
    let headers = request.headers.iter();
    let headers =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    origin::Request {
        method: request.method.to_string(),
        target: target.to_owned(),
        headers: headers.collect(),
        body_length: body.len() as u64,
        body: body.into(),
        body_complete: true,
        peer: None,
    }
}

pub(crate) fn response(method: &str, answer: origin::Answer) -> HttpResponse {
    let mut headers = HeaderMap::new();
    for (name, value) in answer.headers {
        headers.append(HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
    }
    headers.insert(http::header::CONTENT_LENGTH, answer.body.len().into());
    let body = if method == "HEAD" { Vec::new() } else { vec![Ok(answer.body)] };
    let status = StatusCode::from_u16(answer.status).unwrap();
    HttpResponse::new(status, headers, Box::pin(stream::iter(body)))
}

async fn collect(body: RequestBody) -> Vec<u8> {
    use http_body::Body as _;
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while let Some(frame) = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await
    {
        bytes.extend_from_slice(&frame.unwrap().into_data().unwrap());
    }
    bytes
}
