//! Of which type a manifest is: one that is known, or a foreign one, which is carried as it is.

use super::Document;
use crate::media_type;

/// Which type the bytes are of: what the carrier says, what the body says and what the body holds
/// must not contradict each other; whoever is silent follows the others. A carrier's foreign type says
/// nothing of a body that is silent and reads as an image or an index; otherwise what is of a foreign
/// type is asked nothing else.
pub(super) fn decide(
    document: &Document,
    carrier: Option<&str>,
    signed: impl FnOnce() -> bool,
) -> Result<String, String> {
    let no = |reason: &str| Err(reason.to_owned());
    if document.errors.is_some() {
        return no("it is an error document");
    }
    let declared = document.media_type.as_deref();
    let reads_as_known =
        document.manifests.is_some() || (document.config.is_some() && document.layers.is_some());
    let foreign = carrier.filter(|carrier| is_foreign(carrier) && !reads_as_known);
    let carrier = carrier.filter(|carrier| media_type::is_manifest(carrier));
    let named = carrier.or(declared);
    match named.or(foreign) {
        Some(foreign) if is_foreign(foreign) => return Ok(foreign.to_owned()),
        Some(unknown) if !media_type::is_manifest(unknown) => {
            return Err(format!("its media type is {unknown}"));
        }
        _ => {}
    }
    match document.schema_version {
        Some(1) if named.is_none_or(media_type::is_schema1) => {
            return Ok(match named {
                Some(named) => named.to_owned(),
                None if signed() => media_type::DOCKER_SCHEMA1_SIGNED.to_owned(),
                None => media_type::DOCKER_SCHEMA1.to_owned(),
            });
        }
        version @ (None | Some(2)) => {
            if let Some(named) = named.filter(|named| media_type::is_schema1(named)) {
                let version = version.map_or("missing".to_owned(), |version| version.to_string());
                return Err(format!(
                    "it is declared as {named} and its schemaVersion is {version}"
                ));
            }
        }
        Some(other) => {
            return Err(format!("its schemaVersion is {other}, and only 2 is understood"));
        }
    }
    let (image, index) = (document.layers.is_some(), document.manifests.is_some());
    if index && (image || document.config.is_some()) {
        return no("it has the fields of an image and of an index at once");
    }
    if let (Some(carrier), Some(declared)) = (carrier, declared)
        && carrier != declared
    {
        return Err(format!("it travels as {carrier} and calls itself {declared}"));
    }
    let fallback = match (image, index) {
        (true, _) => Some(media_type::OCI_MANIFEST),
        (_, true) => Some(media_type::OCI_INDEX),
        _ => None,
    };
    match carrier.or(declared).or(fallback) {
        Some(known) if media_type::is_index(known) && image => {
            no("it is declared as an index and has the fields of an image")
        }
        Some(known) if media_type::is_image(known) && index => {
            no("it is declared as an image and has the fields of an index")
        }
        Some(known) if media_type::is_image(known) && document.config.is_none() => {
            no("it is declared as an image and has no config")
        }
        Some(known) => Ok(known.to_owned()),
        _ => no("it is neither an image nor an index"),
    }
}

/// Whether this may be a manifest's type, and is none that is known here. No manifest has a type of the
/// standards tree, so that `application/json` and `text/html` say nothing of one
/// ([RFC 6838, section 3](https://www.rfc-editor.org/rfc/rfc6838#section-3)).
pub(super) fn is_foreign(media_type: &str) -> bool {
    let is_name = |part: &str| {
        let rest =
            part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte));
        rest && (1..=127).contains(&part.len())
    };
    let trees = ["vnd.", "prs.", "x.", "x-"];
    !media_type::is_manifest(media_type)
        && media_type.split_once('/').is_some_and(|(kind, name)| {
            is_name(kind) && is_name(name) && trees.iter().any(|tree| name.starts_with(tree))
        })
}
