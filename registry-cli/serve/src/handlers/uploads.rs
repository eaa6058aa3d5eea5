//! Pushing blobs: at once, in chunks, as a stream, or by mounting them from another repository.

use std::sync::Arc;

use http::header::{CONTENT_RANGE, LOCATION, RANGE};
use http::{HeaderValue, Response, StatusCode};
use hyper::body::Incoming;
use registry_name::{Algorithm, Digest};

use super::{Answer, headers};
use crate::access::Scope;
use crate::body::Body;
use crate::name::Name;
use crate::problem::{Code, Problem};
use crate::range::{self, Chunk};
use crate::route::{parse_digest, unknown_upload};
use crate::server::Call;
use crate::sessions::{Session, Writer};
use crate::store::{Store, UploadId};
use crate::work::blocking;

/// `POST /v2/<name>/blobs/uploads/`
pub(super) async fn begin(
    call: &Call<'_>,
    name: &Name,
    body: &mut Incoming,
) -> Result<Response<Body>, Problem> {
    if let Some(digest) = call.parameter("mount").map(parse_digest).transpose()?
        && mount(call, name, &digest).await?
    {
        return created(name, &digest);
    }
    if let Some(digest) = call.parameter("digest").map(parse_digest).transpose()? {
        return at_once(call, name, &digest, body).await;
    }
    let algorithm = match call.parameter("digest-algorithm") {
        None | Some("sha256") => Algorithm::Sha256,
        Some("sha512") => Algorithm::Sha512,
        Some(other) => {
            let message = format!("the digest algorithm {other:?} is not known here");
            return Err(Problem::invalid(Code::DigestInvalid, message));
        }
    };
    let session = call.server.sessions.begin(name, algorithm).await?;
    let answer = progress(StatusCode::ACCEPTED, &session);
    match call.server.limits.chunk_min {
        Some(bytes) => answer.header(headers::CHUNK_MIN, &bytes).done(),
        None => answer.done(),
    }
}

/// `PATCH <location>`
pub(super) async fn append(
    call: &Call<'_>,
    name: &Name,
    id: &UploadId,
    body: &mut Incoming,
) -> Result<Response<Body>, Problem> {
    let session = find(call, name, id).await?;
    let mut writer = Writer::claim(&session);
    receive(call, &session, &mut writer, body).await?;
    progress(StatusCode::ACCEPTED, &session).done()
}

/// `PUT <location>?digest=<digest>`
pub(super) async fn finish(
    call: &Call<'_>,
    name: &Name,
    id: &UploadId,
    body: &mut Incoming,
) -> Result<Response<Body>, Problem> {
    let digest = call.parameter("digest").ok_or_else(|| {
        Problem::invalid(Code::DigestInvalid, "the upload's digest is missing: ?digest=…")
    })?;
    let digest = parse_digest(digest)?;
    let session = find(call, name, id).await?;
    let mut writer = Writer::claim(&session);
    receive(call, &session, &mut writer, body).await?;
    let committed = writer.commit(&digest).await;
    call.server.sessions.forget(&session);
    committed?;
    created(name, &digest)
}

/// `GET <location>`
pub(super) async fn status(
    call: &Call<'_>,
    name: &Name,
    id: &UploadId,
) -> Result<Response<Body>, Problem> {
    progress(StatusCode::NO_CONTENT, &*find(call, name, id).await?).done()
}

/// `DELETE <location>`
pub(super) async fn cancel(
    call: &Call<'_>,
    name: &Name,
    id: &UploadId,
) -> Result<Response<Body>, Problem> {
    let session = find(call, name, id).await?;
    call.server.sessions.cancel(&session).await?;
    Answer::new(StatusCode::NO_CONTENT).done()
}

/// Whether the blob could be taken from a repository that the caller may pull from.
async fn mount(call: &Call<'_>, name: &Name, digest: &Digest) -> Result<bool, Problem> {
    let from = match call.parameter("from") {
        // A source that cannot exist is a source that does not have it.
        Some(from) => match Name::parse(from) {
            Ok(from) => Some(from),
            Err(_) => return Ok(false),
        },
        None => None,
    };
    let (store, to, digest, caller) =
        (call.store(), name.clone(), digest.clone(), call.caller.clone());
    blocking(move || {
        let readable = |name: &Name| caller.may(&Scope::repository(name, &["pull"]));
        let from = match from {
            Some(from) => Some(from).filter(readable),
            None => store.find_blob(&digest, &readable)?,
        };
        match from {
            Some(from) => Ok(store.mount_blob(&from, &to, &digest)?),
            None => Ok(false),
        }
    })
    .await
}

/// `POST …?digest=<digest>` with the whole blob.
async fn at_once(
    call: &Call<'_>,
    name: &Name,
    digest: &Digest,
    body: &mut Incoming,
) -> Result<Response<Body>, Problem> {
    let session = call.server.sessions.begin_alone(name, digest.algorithm()).await?;
    let mut discard = Discard { store: Some(call.store()), session: &session };
    let mut writer = Writer::claim(&session);
    writer.append(body, None, call.server.limits.idle).await?;
    writer.commit(digest).await?;
    discard.store = None;
    created(name, digest)
}

/// Takes in the body of a PATCH or PUT, at the place that its `Content-Range` names.
async fn receive(
    call: &Call<'_>,
    session: &Session,
    writer: &mut Writer,
    body: &mut Incoming,
) -> Result<(), Problem> {
    let chunk = chunk(call)?;
    if let Some(chunk) = chunk {
        let offset = writer.offset().await?;
        if chunk.first != offset {
            return Err(out_of_order(session, chunk, offset));
        }
    }
    writer.append(body, chunk.map(|chunk| chunk.length), call.server.limits.idle).await
}

fn chunk(call: &Call<'_>) -> Result<Option<Chunk>, Problem> {
    let Some(header) = call.headers.get(CONTENT_RANGE) else { return Ok(None) };
    let chunk = header.to_str().ok().and_then(range::chunk).ok_or_else(|| {
        let message = "Content-Range of a chunk is <first>-<last>, both included";
        Problem::invalid(Code::BlobUploadInvalid, message)
    });
    chunk.map(Some)
}

async fn find(call: &Call<'_>, name: &Name, id: &UploadId) -> Result<Arc<Session>, Problem> {
    call.server.sessions.find(name, id).await?.ok_or_else(unknown_upload)
}

fn location(session: &Session) -> String {
    format!("/v2/{}/blobs/uploads/{}", session.name, session.id)
}

fn progress(status: StatusCode, session: &Session) -> Answer {
    Answer::new(status)
        .header(LOCATION, &location(session))
        .header(RANGE, &range::received(session.offset()))
        .header(headers::UPLOAD_ID, &session.id)
}

fn created(name: &Name, digest: &Digest) -> Result<Response<Body>, Problem> {
    Answer::new(StatusCode::CREATED)
        .header(LOCATION, &format!("/v2/{name}/blobs/{digest}"))
        .header(headers::CONTENT_DIGEST, &digest)
        .done()
}

fn out_of_order(session: &Session, chunk: Chunk, offset: u64) -> Problem {
    let message = format!("the chunk starts at {}, but {offset} bytes have arrived", chunk.first);
    let status = StatusCode::RANGE_NOT_SATISFIABLE;
    let problem = Problem::new(status, Code::BlobUploadInvalid, message);
    let headers = [(LOCATION, location(session)), (RANGE, range::received(offset))];
    headers.into_iter().fold(problem, |problem, (name, value)| match HeaderValue::try_from(value) {
        Ok(value) => problem.header(name, value),
        Err(_) => problem,
    })
}

/// Removes an upload that no later request can continue, also when the request is dropped.
struct Discard<'a> {
    /// `None`: it is a blob now.
    store: Option<Arc<dyn Store>>,
    session: &'a Session,
}

impl Drop for Discard<'_> {
    fn drop(&mut self) {
        let Some(store) = self.store.take() else { return };
        if let Err(error) = store.remove_upload(&self.session.name, &self.session.id) {
            tracing::warn!(%error, "an upload could not be removed");
        }
    }
}
