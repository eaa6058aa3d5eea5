//! Pulling and deleting blobs.

use std::io::{Seek, SeekFrom};

use http::header::{ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE, ETAG, RANGE};
use http::{HeaderValue, Response, StatusCode};
use registry_name::Digest;

use super::{Answer, headers};
use crate::body::{self, Body};
use crate::condition;
use crate::name::Name;
use crate::problem::{Code, Problem};
use crate::range::{self, Wanted};
use crate::server::Call;
use crate::store::{Blob, Content};
use crate::work::blocking;

pub(super) async fn pull(
    call: &Call<'_>,
    name: Name,
    digest: Digest,
) -> Result<Response<Body>, Problem> {
    let (store, of, which) = (call.store(), name.clone(), digest.clone());
    // Whoever looks whether a blob is there may leave it out of a push.
    let looked_for = call.method == http::Method::HEAD;
    let blob = blocking(move || {
        if looked_for && !store.use_blob(&of, &which)? {
            return Ok(None);
        }
        Ok(store.blob(&of, &which)?)
    });
    let blob = blob.await?;
    let Some(Blob { size, content }) = blob else { return Err(unknown(&name, &digest)) };
    let answer = |status, body| {
        Answer::of(status, body)
            .header(headers::CONTENT_DIGEST, &digest)
            .header(ETAG, &condition::etag(&digest))
            .header(ACCEPT_RANGES, "bytes")
    };
    if condition::not_modified(call.headers, &digest) {
        return answer(StatusCode::NOT_MODIFIED, body::empty()).done();
    }
    let range = call.header(&RANGE).filter(|_| condition::range_applies(call.headers, &digest));
    let (first, length, status) = match range::wanted(range, size) {
        Wanted::Everything => (0, size, StatusCode::OK),
        Wanted::Part { first, last } => (first, last - first + 1, StatusCode::PARTIAL_CONTENT),
        Wanted::Unsatisfiable => return Err(unsatisfiable(size)),
    };
    let body = match content {
        // A read that nobody waits for would be lost work.
        _ if call.method == http::Method::HEAD => body::announced(length),
        Content::Memory(bytes) => {
            // It is in memory, so its size fits.
            let (first, length) = (usize::try_from(first), usize::try_from(length));
            let (first, length) = (first.unwrap_or_default(), length.unwrap_or_default());
            body::full(bytes.slice(first..first + length))
        }
        Content::File(mut file) => {
            let file = blocking(move || {
                file.seek(SeekFrom::Start(first))?;
                Ok(file)
            });
            body::file(file.await?, length)
        }
    };
    let answer = answer(status, body).header(CONTENT_TYPE, "application/octet-stream");
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {first}-{}/{size}", first + length - 1);
        return answer.header(CONTENT_RANGE, &range).done();
    }
    answer.done()
}

pub(super) async fn delete(
    call: &Call<'_>,
    name: Name,
    digest: Digest,
) -> Result<Response<Body>, Problem> {
    let (store, of, which) = (call.store(), name.clone(), digest.clone());
    if !blocking(move || Ok(store.delete_blob(&of, &which)?)).await? {
        return Err(unknown(&name, &digest));
    }
    Answer::new(StatusCode::ACCEPTED).header(headers::CONTENT_DIGEST, &digest).done()
}

fn unknown(name: &Name, digest: &Digest) -> Problem {
    Problem::unknown(Code::BlobUnknown, format!("{name} has no blob {digest}"))
}

fn unsatisfiable(size: u64) -> Problem {
    let message = format!("the blob has {size} bytes, and none of the range is among them");
    let status = StatusCode::RANGE_NOT_SATISFIABLE;
    let problem = Problem::new(status, Code::SizeInvalid, message);
    match HeaderValue::try_from(format!("bytes */{size}")) {
        Ok(value) => problem.header(CONTENT_RANGE, value),
        Err(_) => problem,
    }
}
