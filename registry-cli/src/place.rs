//! Where an image can be on this machine, as words on a command line.
//!
//! Pure: nothing here looks at the disk. What a bare path holds is decided by whoever opens it.

use std::path::PathBuf;

use registry_name::{Digest, ParseError, Reference, Tag, without_password};

/// A layout or an archive, and what in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) kind: Kind,
    pub(crate) path: PathBuf,
    pub(crate) name: Option<Name>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `oci:DIR[:TAG]`
    Layout,
    /// `oci-archive:FILE[:TAG]`
    OciArchive,
    /// `docker-archive:FILE[:IMAGE]`
    DockerArchive,
    /// A path to read from.
    ByContent,
}

/// Which image of a place. Where one is read, `@DIGEST` can stand for the tag or image, or behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Tag(Tag),
    Digest(Digest),
    Image(Reference),
}

/// One side of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Place(Place),
    Image(Reference),
}

/// A word that names no place; it is kept as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlaceError {
    #[error("{word:?} names no path")]
    Missing { word: String },
    #[error("{word:?} is no place: a place has no scheme")]
    Scheme { word: String },
    #[error("{word:?} chooses by digest, and what is written gets a tag")]
    Digest { word: String },
    #[error(
        "\"-\" is no place: images are not read from standard input or written to standard output"
    )]
    Stream,
    #[error(transparent)]
    Image(#[from] ParseError),
}

impl Place {
    /// What `push` reads: a prefixed place, or any path.
    pub(crate) fn to_read(word: &str) -> Result<Self, PlaceError> {
        match Self::prefixed(word)? {
            Some(place) => Ok(place),
            None => Self::bare(Kind::ByContent, word),
        }
    }

    /// What `pull` writes: a prefixed place, or any path; one that ends in `.tar` is a docker
    /// archive, any other a layout.
    pub(crate) fn to_write(word: &str) -> Result<Self, PlaceError> {
        match Self::prefixed(word)? {
            Some(Self { name: Some(Name::Digest(_)), .. }) => {
                Err(PlaceError::Digest { word: without_password(word) })
            }
            Some(place) => Ok(place),
            None if is_tar(word) => Self::bare(Kind::DockerArchive, word),
            None => Self::bare(Kind::Layout, word),
        }
    }

    fn prefixed(word: &str) -> Result<Option<Self>, PlaceError> {
        let Some((kind, rest)) = word.split_once(':') else { return Ok(None) };
        let Some(kind) = Kind::of(kind) else { return Ok(None) };
        let (rest, digest) = split_digest(rest);
        let (path, name) = match kind {
            Kind::DockerArchive => {
                let (path, image) = split_image(rest);
                // What is called by its tag alone there is found by its digest.
                let image = image.filter(|_| digest.is_none());
                (path, image.map(str::parse).transpose()?.map(Name::Image))
            }
            Kind::OciArchive if is_tar(rest) => (rest, None),
            _ => split_tag(rest),
        };
        check_path(path, word)?;
        Ok(Some(Self { kind, path: path.into(), name: digest.map(Name::Digest).or(name) }))
    }

    fn bare(kind: Kind, word: &str) -> Result<Self, PlaceError> {
        if word.contains("://") {
            return Err(PlaceError::Scheme { word: without_password(word) });
        }
        check_path(word, word)?;
        Ok(Self { kind, path: word.into(), name: None })
    }
}

impl Kind {
    fn of(prefix: &str) -> Option<Self> {
        match prefix {
            "oci" => Some(Self::Layout),
            "oci-archive" => Some(Self::OciArchive),
            "docker-archive" => Some(Self::DockerArchive),
            _ => None,
        }
    }
}

impl Endpoint {
    /// What `copy` reads from.
    pub(crate) fn source(word: &str) -> Result<Self, PlaceError> {
        Self::parse(word, Place::to_read)
    }

    /// What `copy` writes to.
    pub(crate) fn destination(word: &str) -> Result<Self, PlaceError> {
        Self::parse(word, Place::to_write)
    }

    /// Only a known prefix, or a word that starts like a path, is a place: `ubuntu` is an image
    /// even where a directory has that name.
    fn parse(
        word: &str,
        place: impl FnOnce(&str) -> Result<Place, PlaceError>,
    ) -> Result<Self, PlaceError> {
        let known = word.split_once(':').is_some_and(|(prefix, _)| Kind::of(prefix).is_some());
        let like_a_path = ["/", "./", "../"].iter().any(|start| word.starts_with(start));
        if known || like_a_path {
            place(word).map(Self::Place)
        } else {
            Ok(Self::Image(word.parse()?))
        }
    }
}

impl PlaceError {
    /// What was probably meant.
    pub(crate) fn hint(&self) -> Option<&str> {
        match self {
            Self::Missing { .. } | Self::Scheme { .. } => Some(
                "a place is oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:IMAGE] or a path",
            ),
            Self::Digest { .. } => Some("leave the digest out, or write a tag instead"),
            Self::Stream => Some("name a file or a directory; one that is called so is ./-"),
            Self::Image(error) => error.hint(),
        }
    }
}

fn check_path(path: &str, word: &str) -> Result<(), PlaceError> {
    match path {
        "" => Err(PlaceError::Missing { word: without_password(word) }),
        "-" => Err(PlaceError::Stream),
        _ => Ok(()),
    }
}

fn split_digest(text: &str) -> (&str, Option<Digest>) {
    if let Some((path, digest)) = text.rsplit_once('@')
        && let Ok(digest) = digest.parse()
    {
        return (path, Some(digest));
    }
    (text, None)
}

/// `DIR:TAG`: the last colon counts, if what follows is a tag.
pub(crate) fn split_tag(text: &str) -> (&str, Option<Name>) {
    if let Some((path, tag)) = text.rsplit_once(':')
        && let Ok(tag) = tag.parse()
    {
        return (path, Some(Name::Tag(tag)));
    }
    (text, None)
}

/// `FILE:IMAGE`: an image has colons of its own, and so may a file; the end of the file is the
/// first `.tar`, otherwise the first colon.
fn split_image(text: &str) -> (&str, Option<&str>) {
    const TAR: &str = ".tar";
    let colon = match text.find(".tar:") {
        Some(at) => Some(at + TAR.len()),
        None if is_tar(text) => None,
        None => text.find(':'),
    };
    match colon {
        Some(colon) => (&text[..colon], Some(&text[colon + 1..])),
        None => (text, None),
    }
}

fn is_tar(word: &str) -> bool {
    word.as_bytes().ends_with(b".tar")
}

#[cfg(test)]
mod tests;
