//! The kinds of places, and new ones of each.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use registry_remote::{
    ArchiveKind, ArchiveSource, ArchiveWriter, Error, Layout, Memory, Remote, Sink, Source,
};
use tempfile::TempDir;

use super::stage;

/// What is put to the test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Memory,
    Layout,
    OciArchive,
    DockerArchive,
    /// A registry at this address that knows the whole specification.
    Registry(String),
    /// One of the distribution project, which knows no sha512.
    Distribution(String),
}

impl Kind {
    /// Written in one go, from a plan.
    pub(crate) fn is_archive(&self) -> bool {
        matches!(self, Self::OciArchive | Self::DockerArchive)
    }

    /// Holds more than one image.
    pub(crate) fn holds_several(&self) -> bool {
        *self != Self::DockerArchive
    }

    /// Takes manifests that it cannot read, and lists anything in an index.
    pub(crate) fn takes_any_type(&self) -> bool {
        !matches!(self, Self::DockerArchive | Self::Distribution(_))
    }

    pub(crate) fn knows_sha512(&self) -> bool {
        !matches!(self, Self::Distribution(_))
    }
}

/// Where places of one kind are made.
pub(crate) struct Stand {
    pub(crate) kind: Kind,
    directory: TempDir,
    made: AtomicUsize,
}

/// A place that nothing was written to yet.
pub(crate) struct Place {
    pub(crate) sink: Arc<dyn Sink>,
    read: Read,
}

enum Read {
    Memory(Arc<Memory>),
    Layout(PathBuf),
    Archive(PathBuf),
    Remote(Remote),
}

impl Stand {
    pub(crate) fn new(kind: Kind) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { kind, directory, made: AtomicUsize::new(0) }
    }

    pub(crate) fn place(&self) -> Place {
        let name = format!("place{}", self.made.fetch_add(1, Ordering::Relaxed));
        let path = self.directory.path().join(&name);
        let archive = |kind| {
            let sink = Arc::new(ArchiveWriter::new(&path, kind, None));
            Place { sink, read: Read::Archive(path.clone()) }
        };
        match &self.kind {
            Kind::Memory => {
                let memory = Arc::new(Memory::new());
                Place { sink: memory.clone(), read: Read::Memory(memory) }
            }
            Kind::Layout => {
                Place { sink: Arc::new(Layout::create(&path)), read: Read::Layout(path) }
            }
            Kind::OciArchive => archive(ArchiveKind::Oci),
            Kind::DockerArchive => archive(ArchiveKind::Docker),
            Kind::Registry(host) | Kind::Distribution(host) => {
                // A client that brought nothing to another place, which could be mounted here.
                let remote = stage::remote(&stage::client(), host, &name);
                Place { sink: Arc::new(remote.clone()), read: Read::Remote(remote) }
            }
        }
    }
}

impl Place {
    /// What can be read, if anything was published.
    pub(crate) async fn source(&self) -> Result<Arc<dyn Source>, Error> {
        Ok(match &self.read {
            Read::Memory(memory) => memory.clone(),
            Read::Layout(path) => Arc::new(Layout::open(path).await?),
            Read::Archive(path) => Arc::new(ArchiveSource::open(path).await?),
            Read::Remote(remote) => Arc::new(remote.clone()),
        })
    }
}
