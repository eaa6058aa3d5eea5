//! The single requests of an upload, and what their answers say.

use bytes::Bytes;
use http::{
    Method, StatusCode,
    header::{CONTENT_RANGE, CONTENT_TYPE, HeaderName, RANGE},
};
use registry_authn::Scopes;
use registry_name::{Algorithm, Digest, Repository};
use registry_transport::{
    Body, Budget, Error as TransportError, ErrorCode, ErrorKind, Replay, Request, Response,
};
use url::Url;

use super::{Session, progress::Next, progress::Progress};
use crate::{
    Descriptor, Error, Mismatch,
    remote::{Remote, fetch::announced},
    tuning,
};

const BYTES: &str = "application/octet-stream";
const CHUNK_MIN: HeaderName = HeaderName::from_static("oci-chunk-min-length");

/// What came of the request that begins an upload.
pub(super) enum Begun {
    /// The blob is there.
    Stored,
    Session(Session),
    /// This registry does not begin an upload so.
    Refused(TransportError),
}

/// Whether a blob of this digest, and of this size where that is known, is in the repository.
///
/// Asked as by [`head_blob`](Remote::head_blob): a registry that refuses `HEAD` is asked with `GET`.
pub(in crate::remote) async fn is_there(
    remote: &Remote,
    digest: &Digest,
    size: Option<u64>,
) -> Result<bool, Error> {
    let found = match remote.upstream().head_blob(digest).await {
        Ok(found) => Some(found.size),
        Err(error) if error.kind() == crate::ErrorKind::NotFound => return Ok(false),
        // It is there, and nobody says how long it is.
        Err(Error::Unsupported { .. }) => None,
        Err(error) => return Err(error),
    };
    match size.zip(found) {
        Some((expected, actual)) if actual != expected => Err(Error::Integrity {
            what: format!("blob {digest} in {}", remote.repository),
            mismatch: Mismatch::Size { expected, actual },
        }),
        _ => Ok(true),
    }
}

/// `POST ?digest=` with the bytes. A registry that does not know it opens a session instead.
pub(super) async fn post_whole(
    remote: &Remote,
    descriptor: &Descriptor,
    bytes: Bytes,
) -> Result<Begun, TransportError> {
    let mut parameters = vec![("digest", descriptor.digest.as_str())];
    // Where it opens a session instead, that has to be one of the right algorithm.
    parameters.extend(algorithm(&descriptor.digest));
    let request = post(remote, &parameters, remote.push())
        .header(CONTENT_TYPE, BYTES)
        .body(Body::bytes(bytes));
    let sent = Session::open(remote, request).await;
    begun(remote, sent, Some(&descriptor.digest), |error| {
        // No source was named, so this is about the target: no other request helps either.
        let no_repository = has_code(error, &[ErrorCode::NameUnknown]);
        // What is larger than allowed here may still be taken in pieces.
        !no_repository
            && matches!(
                error.kind(),
                ErrorKind::Rejected
                    | ErrorKind::Unsupported
                    | ErrorKind::TooLarge
                    | ErrorKind::NotFound
            )
    })
}

/// `POST ?mount=&from=`. Where the repository is the target's own, it asks whether the blob is
/// there; where there is none, the registry may look everywhere.
pub(super) async fn post_mount(
    remote: &Remote,
    digest: &Digest,
    from: Option<&Repository>,
) -> Result<Begun, TransportError> {
    let mut scopes = remote.push();
    let mut parameters = vec![("mount", digest.as_str())];
    if let Some(from) = from {
        scopes.merge(&Scopes::pull(from));
        parameters.push(("from", from.path()));
    }
    parameters.extend(algorithm(digest));
    let sent = Session::open(remote, post(remote, &parameters, scopes)).await;
    begun(remote, sent, Some(digest), is_mount_refused)
}

/// `POST` of an upload, and nothing else.
pub(super) async fn post_plain(
    remote: &Remote,
    digest: Option<&Digest>,
) -> Result<Begun, TransportError> {
    let parameters: Vec<_> = digest.and_then(algorithm).into_iter().collect();
    let sent = Session::open(remote, post(remote, &parameters, remote.push())).await;
    begun(remote, sent, None, |_| false)
}

/// One `PUT` with everything that is missing, or with nothing where all is there; `size` is that
/// of the whole.
pub(super) async fn put(
    remote: &Remote,
    session: &Url,
    digest: &Digest,
    size: u64,
    body: Option<Body>,
    budget: &Budget,
) -> Result<Response, TransportError> {
    // The session's own query stays byte for byte.
    let mut url = session.clone();
    url.query_pairs_mut().append_pair("digest", digest.as_str());
    let request = remote
        .request(Method::PUT, "blobs/uploads/", remote.push())
        .to(url)
        .stores(size)
        .replay(Replay::Unsent)
        .budget(budget)
        .expect(&[201]);
    let request = match body {
        Some(body) if body.size() <= tuning::SHARED_UP_TO => {
            request.header(CONTENT_TYPE, BYTES).body(body)
        }
        Some(body) => request.header(CONTENT_TYPE, BYTES).body(body).bulk(),
        None => request,
    };
    remote.client.transport().send(request).await
}

/// A `PATCH` with the bytes that follow `offset`. 416 is an answer.
pub(super) async fn patch(
    remote: &Remote,
    session: &Url,
    offset: u64,
    body: Body,
    budget: &Budget,
) -> Result<Response, TransportError> {
    let range = format!("{offset}-{}", (offset + body.size()).saturating_sub(1));
    let request = remote
        .request(Method::PATCH, "blobs/uploads/", remote.push())
        .to(session.clone())
        .header(CONTENT_TYPE, BYTES)
        .header(CONTENT_RANGE, range)
        .body(body)
        .replay(Replay::Unsent)
        .budget(budget)
        .bulk()
        .expect(&[200, 201, 202, 204, 416]);
    remote.client.transport().send(request).await
}

/// Asks where a session stands.
pub(super) async fn ask(
    remote: &Remote,
    session: &mut Session,
    progress: &mut Progress,
    budget: &Budget,
) -> Next {
    let request = remote
        .request(Method::GET, "blobs/uploads/", remote.push())
        .to(session.url().clone())
        .budget(budget)
        .expect(&[200, 202, 204]);
    match remote.client.transport().send(request).await {
        Ok(response) => {
            go_on(session, &response);
            progress.asked(response.header(RANGE))
        }
        Err(_) => Next::Lost("it is not known any more"),
    }
}

/// What the answer to a `PATCH` that ended before `end` means for its session.
pub(super) fn patched(
    session: &mut Session,
    progress: &mut Progress,
    response: &Response,
    end: u64,
) -> Next {
    go_on(session, response);
    let range = response.header(RANGE);
    if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
        progress.out_of_order(range)
    } else {
        progress.accepted(range, end)
    }
}

/// Whether an answer to a commit names what was committed; one that names nothing does, too.
pub(super) fn names(response: &Response, digest: &Digest) -> bool {
    announced(response).is_none_or(|said| said == *digest || said.algorithm() != digest.algorithm())
}

/// Whether the registry gave one of these codes.
pub(super) fn has_code(error: &TransportError, codes: &[ErrorCode]) -> bool {
    error.diagnostics().iter().any(|diagnostic| codes.contains(&diagnostic.code))
}

/// A session may move with every answer; where it does not say so, or says it badly, it stays.
fn go_on(session: &mut Session, response: &Response) {
    if let Ok(url) = response.location() {
        session.moves_to(url);
    }
}

/// `POST` of an upload, with these parameters.
pub(in crate::remote) fn post(
    remote: &Remote,
    parameters: &[(&str, &str)],
    scopes: Scopes,
) -> Request {
    // Digests and repository names need no escaping in a query.
    let query: Vec<_> = parameters.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    remote
        .request(Method::POST, &format!("blobs/uploads/{mark}{}", query.join("&")), scopes)
        .replay(Replay::Twice)
        .expect(&[201, 202])
}

/// Registries take sha256 for granted.
fn algorithm(digest: &Digest) -> Option<(&'static str, &'static str)> {
    (digest.algorithm() == Algorithm::Sha512).then_some(("digest-algorithm", "sha512"))
}

fn begun(
    remote: &Remote,
    sent: Result<(Response, Option<Session>), TransportError>,
    digest: Option<&Digest>,
    is_refused: impl FnOnce(&TransportError) -> bool,
) -> Result<Begun, TransportError> {
    let (response, session) = match sent {
        Ok(answer) => answer,
        Err(error) if is_refused(&error) => return Ok(Begun::Refused(error)),
        Err(error) => return Err(error),
    };
    if let Some(least) = response.header(CHUNK_MIN).and_then(|text| text.parse().ok()) {
        remote.learn(|learnt| learnt.chunk_min = least);
    }
    if let Some(session) = session {
        return Ok(Begun::Session(session));
    }
    match digest {
        Some(digest) if names(&response, digest) => Ok(Begun::Stored),
        // It speaks of another blob, or was not asked about one at all.
        _ => Ok(Begun::Refused(
            response.cut_short("the registry says it has it, and was not sent it"),
        )),
    }
}

/// Statuses by which registries refuse a mount and would still take the bytes.
fn is_mount_refused(error: &TransportError) -> bool {
    let status = error.status().map(|status| status.as_u16());
    matches!(status, Some(400 | 401 | 403 | 404 | 405 | 500))
        || error.kind() == ErrorKind::TokenRefused
}
