//! Pulling, pushing and deleting manifests and tags.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, LOCATION};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use registry_name::{Algorithm, Digest, Identifier, Tag};

use super::{Answer, headers};
use crate::body::{self, Body};
use crate::condition::{self, Precondition};
use crate::hash;
use crate::manifest;
use crate::name::Name;
use crate::problem::{Code, Problem};
use crate::server::Call;
use crate::store::{Manifest, Put, PutManifest};
use crate::work::blocking;

/// Tags in one push; the specification wants ten at least.
const TAGS: usize = 100;

pub(super) async fn pull(
    call: &Call<'_>,
    name: Name,
    identifier: Identifier,
) -> Result<Response<Body>, Problem> {
    let (store, of, which) = (call.store(), name.clone(), identifier.clone());
    let found = blocking(move || {
        let digest = match which {
            Identifier::Digest(digest) => Some(digest),
            Identifier::Tag(tag) => store.tag(&of, &tag)?,
        };
        let Some(digest) = digest else { return Ok(None) };
        Ok(store.manifest(&of, &digest)?.map(|manifest| (digest, manifest)))
    });
    let (digest, manifest) = found.await?.ok_or_else(|| unknown(&name, &identifier))?;
    let answer = |status, body| {
        Answer::of(status, body)
            .header(headers::CONTENT_DIGEST, &digest)
            .header(ETAG, &condition::etag(&digest))
    };
    if condition::not_modified(call.headers, &digest) {
        return answer(StatusCode::NOT_MODIFIED, body::empty()).done();
    }
    answer(StatusCode::OK, body::full(manifest.bytes))
        .header(CONTENT_TYPE, &manifest.media_type)
        .done()
}

pub(super) async fn push(
    call: &Call<'_>,
    name: Name,
    identifier: Identifier,
    body: &mut Incoming,
) -> Result<Response<Body>, Problem> {
    let named = tags(call, &identifier)?;
    let bytes = read(call, body).await?;
    let content_type = call.header(&CONTENT_TYPE).map(str::to_owned);
    let precondition = Precondition::of(call.headers);
    let (store, to, which) = (call.store(), name.clone(), identifier.clone());
    // Megabytes of JSON take their time too.
    let put = blocking(move || {
        let checked = manifest::check(&bytes, content_type.as_deref())?;
        let put = PutManifest {
            digest: digest_of(&bytes, &which)?,
            manifest: Manifest { media_type: checked.media_type, bytes },
            subject: checked.subject,
            tags: named,
            blobs: checked.blobs,
            precondition,
        };
        match store.put_manifest(&to, &put)? {
            Put::Stored => Ok(put),
            Put::Missing(blobs) => Err(manifest::missing_blobs(blobs)),
            Put::Refused => Err(refused()),
        }
    });
    let PutManifest { digest, subject, tags, .. } = put.await?;
    let mut answer = Answer::new(StatusCode::CREATED)
        .header(LOCATION, &format!("/v2/{name}/manifests/{digest}"))
        .header(headers::CONTENT_DIGEST, &digest)
        .header(ETAG, &condition::etag(&digest));
    if let Some(subject) = subject {
        answer = answer.header(headers::SUBJECT, &subject);
    }
    if identifier.digest().is_some() {
        for tag in tags {
            answer = answer.header(headers::TAG, &tag);
        }
    }
    answer.done()
}

pub(super) async fn delete(
    call: &Call<'_>,
    name: Name,
    identifier: Identifier,
) -> Result<Response<Body>, Problem> {
    let (store, of, which) = (call.store(), name.clone(), identifier.clone());
    let found = blocking(move || {
        Ok(match which {
            Identifier::Digest(digest) => store.delete_manifest(&of, &digest)?,
            Identifier::Tag(tag) => store.delete_tag(&of, &tag)?,
        })
    });
    if !found.await? {
        return Err(unknown(&name, &identifier));
    }
    Answer::new(StatusCode::ACCEPTED).done()
}

/// The tags that a push sets: the one in its path, or those in its query.
fn tags(call: &Call<'_>, identifier: &Identifier) -> Result<Vec<Tag>, Problem> {
    if let Some(tag) = identifier.tag() {
        return Ok(vec![tag.clone()]);
    }
    let values = call.query.iter().filter(|(key, _)| key == "tag").map(|(_, value)| value);
    let tags = values.map(|text| {
        text.parse()
            .map_err(|error| Problem::invalid(Code::TagInvalid, format!("not a tag: {error}")))
    });
    let tags: Vec<Tag> = tags.collect::<Result<_, Problem>>()?;
    if tags.len() > TAGS {
        let message = format!("{} tags in one push; {TAGS} are the limit", tags.len());
        return Err(Problem::new(StatusCode::URI_TOO_LONG, Code::TagInvalid, message));
    }
    Ok(tags)
}

/// The digest that the manifest is stored under, which has to be the one in the path if there is one.
fn digest_of(bytes: &[u8], identifier: &Identifier) -> Result<Digest, Problem> {
    let algorithm = identifier.digest().map_or(Algorithm::Sha256, Digest::algorithm);
    let actual = hash::digest(bytes, algorithm);
    actual.filter(|actual| identifier.digest().is_none_or(|given| given == actual)).ok_or_else(
        || {
            let message = format!("the manifest that was pushed is not {identifier}");
            Problem::invalid(Code::DigestInvalid, message)
        },
    )
}

/// The body, up to the limit for manifests.
async fn read(call: &Call<'_>, body: &mut Incoming) -> Result<Bytes, Problem> {
    let limit = call.server.limits.manifest;
    let too_large = || {
        let message = format!("the manifest is larger than {limit} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, Code::ManifestInvalid, message)
    };
    let announced = call.header(&CONTENT_LENGTH).and_then(|digits| digits.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let collected = Limited::new(body, limit).collect();
    match tokio::time::timeout(call.server.limits.idle, collected).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Problem::invalid(Code::ManifestInvalid, "the body was cut short")),
        Err(_) => {
            let message = "the manifest takes too long to arrive";
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, Code::ManifestInvalid, message))
        }
    }
}

fn refused() -> Problem {
    let message = "what is there now is not what the request expects";
    Problem::new(StatusCode::PRECONDITION_FAILED, Code::ManifestInvalid, message)
}

fn unknown(name: &Name, identifier: &Identifier) -> Problem {
    let kind = if identifier.tag().is_some() { "tag" } else { "manifest" };
    Problem::unknown(Code::ManifestUnknown, format!("{name} has no {kind} {identifier}"))
}
