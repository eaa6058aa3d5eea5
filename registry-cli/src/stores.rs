//! From the ends of a command line to something that can be copied from and to.

use std::{path::Path, sync::Arc};

use registry_name::{Digest, Identifier, Reference, Tag};
use registry_remote::{
    ArchiveKind, ArchiveSource, ArchiveWriter, Error, ErrorKind, Layout, Sink, Source,
};

use crate::{
    Exit,
    failure::Failure,
    place::{Endpoint, Kind, Name, Place, split_tag},
    session::Session,
};

/// What is copied.
pub(crate) struct From {
    pub(crate) store: Arc<dyn Source>,
    pub(crate) which: Identifier,
    /// What it is called there: the name it keeps where it is given no other.
    tag: Option<Tag>,
}

/// Where it goes, and what it will be called there.
pub(crate) struct To {
    pub(crate) store: Arc<dyn Sink>,
    pub(crate) tag: Option<Tag>,
    /// What it must be.
    pub(crate) digest: Option<Digest>,
}

/// Opens what is read from.
pub(crate) async fn source(session: &Session, from: &Endpoint) -> Result<From, Failure> {
    match from {
        Endpoint::Image(image) => Ok(From {
            store: Arc::new(session.client()?.remote(image.repository())),
            which: image.identifier(),
            tag: image.tag().cloned(),
        }),
        Endpoint::Place(place) => {
            let opened = if is_layout(place) { layout(place).await } else { archive(place).await };
            opened.map_err(|error| advise(error, place))
        }
    }
}

/// Opens what is written to; nothing is touched yet.
pub(crate) fn sink(
    session: &Session,
    to: &Endpoint,
    from: &Endpoint,
    found: &From,
) -> Result<To, Failure> {
    match to {
        Endpoint::Image(image) => Ok(To {
            store: Arc::new(session.client()?.remote(image.repository())),
            tag: image.tag().cloned(),
            digest: image.digest().cloned(),
        }),
        Endpoint::Place(place) => {
            let tag = match &place.name {
                Some(Name::Tag(tag)) => Some(tag.clone()),
                Some(Name::Image(image)) => image.tag().cloned(),
                Some(Name::Digest(_)) | None => found.tag.clone(),
            };
            let image = match from {
                Endpoint::Image(image) => tagged(image),
                Endpoint::Place(_) => None,
            };
            Ok(To { store: writer(place, image), tag, digest: None })
        }
    }
}

/// Opens all of what is read from, whatever it is called there.
pub(crate) async fn whole(session: &Session, from: &Endpoint) -> Result<Arc<dyn Source>, Failure> {
    let place = match from {
        Endpoint::Image(image) => {
            return Ok(Arc::new(session.client()?.remote(image.repository())));
        }
        Endpoint::Place(place) => place,
    };
    let opened: Result<Arc<dyn Source>, Error> = if is_layout(place) {
        Layout::open(&place.path).await.map(|layout| Arc::new(layout) as _)
    } else {
        ArchiveSource::open(&place.path).await.map(|archive| Arc::new(archive) as _)
    };
    opened.map_err(|error| advise(error, place))
}

/// Opens what is written to, where every tag keeps its name.
pub(crate) fn whole_sink(session: &Session, to: &Endpoint) -> Result<Arc<dyn Sink>, Failure> {
    match to {
        Endpoint::Image(image) => Ok(Arc::new(session.client()?.remote(image.repository()))),
        Endpoint::Place(place) => Ok(writer(place, None)),
    }
}

/// Refuses an archive that is there already: it would be written anew, whatever is in it.
pub(crate) fn check_free(to: &Endpoint) -> Result<(), Failure> {
    let Endpoint::Place(Place { kind: Kind::OciArchive | Kind::DockerArchive, path, .. }) = to
    else {
        return Ok(());
    };
    // A link that leads nowhere is something, too.
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    Err(Failure::Other {
        what: format!(
            "{} is there already, and with --no-clobber it is not replaced",
            path.display()
        ),
        exit: Exit::Local,
        hint: Some("name another file, or leave --no-clobber out".to_owned()),
    })
}

fn is_layout(place: &Place) -> bool {
    match place.kind {
        Kind::Layout => true,
        Kind::ByContent => place.path.is_dir(),
        Kind::OciArchive | Kind::DockerArchive => false,
    }
}

async fn layout(place: &Place) -> Result<From, Error> {
    let layout = Layout::open(&place.path).await?;
    let tags = layout.tags().await?;
    let (which, tag) = match identifier(place.name.as_ref()) {
        Some(which) => (which, None),
        None => (layout.only().await?, only(tags)),
    };
    Ok(From::new(Arc::new(layout), which, tag))
}

async fn archive(place: &Place) -> Result<From, Error> {
    let archive = ArchiveSource::open(&place.path).await?;
    let (which, tag) = match (identifier(place.name.as_ref()), &place.name) {
        (Some(which), _) => (which, None),
        (None, Some(Name::Image(image))) => (archive.image(image)?, image.tag().cloned()),
        (None, _) => (archive.only()?, only(archive.tags())),
    };
    Ok(From::new(Arc::new(archive), which, tag))
}

/// `image` is the name that `docker load` will show where the place gives no other.
fn writer(place: &Place, image: Option<Reference>) -> Arc<dyn Sink> {
    let kind = match place.kind {
        Kind::Layout | Kind::ByContent => return Arc::new(Layout::create(&place.path)),
        Kind::OciArchive => ArchiveKind::Oci,
        Kind::DockerArchive => ArchiveKind::Docker,
    };
    let image = match (kind, &place.name) {
        (ArchiveKind::Docker, Some(Name::Image(image))) => Some(image.clone()),
        (ArchiveKind::Docker, _) => image,
        _ => None,
    };
    Arc::new(ArchiveWriter::new(&place.path, kind, image))
}

impl From {
    fn new(store: Arc<dyn Source>, which: Identifier, tag: Option<Tag>) -> Self {
        let tag = tag.or_else(|| which.tag().cloned());
        Self { store, which, tag }
    }
}

fn identifier(name: Option<&Name>) -> Option<Identifier> {
    match name? {
        Name::Tag(tag) => Some(tag.clone().into()),
        Name::Digest(digest) => Some(digest.clone().into()),
        Name::Image(_) => None,
    }
}

/// The tag of what has one tag.
fn only(tags: Vec<Tag>) -> Option<Tag> {
    let [tag] = <[Tag; 1]>::try_from(tags).ok()?;
    Some(tag)
}

/// The name that `docker load` shows; what was asked for by digest alone has none.
fn tagged(image: &Reference) -> Option<Reference> {
    image.tag().map(|tag| image.repository().with_tag(tag.clone()))
}

/// What holds one image was to be given an index.
pub(crate) fn advise_one(error: Error, place: &Place) -> Failure {
    if place.kind == Kind::DockerArchive && matches!(error, Error::Unsupported { .. }) {
        return Failure::advised(error, "name one of its platforms with --platform".to_owned());
    }
    error.into()
}

/// A bare path has no tag; somebody who writes `DIR:TAG` means the prefixed form.
fn advise(error: Error, place: &Place) -> Failure {
    let word = place.path.to_string_lossy();
    match split_tag(&word) {
        (dir, Some(Name::Tag(tag)))
            if place.kind == Kind::ByContent
                && error.kind() == ErrorKind::Local
                && Path::new(dir).is_dir() =>
        {
            Failure::advised(error, format!("for a tag of a layout write oci:{dir}:{tag}"))
        }
        _ if matches!(error, Error::Store { .. }) => {
            let hint =
                "a place to read is what `registry pull`, `docker save` or another OCI tool wrote";
            Failure::advised(error, hint.to_owned())
        }
        _ => error.into(),
    }
}
