#![doc = include_str!("../README.md")]

mod archive;
mod client;
mod compose;
pub mod copy;
mod descriptor;
mod error;
mod image;
mod layout;
mod learnt;
mod limits;
mod local;
mod manifest;
pub mod media_type;
mod memory;
mod parts;
mod platform;
mod referrer;
mod remote;
pub mod select;
mod store;
mod summary;
mod tuning;
pub mod verify;

pub use self::{
    archive::{ArchiveKind, ArchiveSource, ArchiveWriter},
    client::{Client, ClientBuilder},
    compose::{Composed, Compression, ImageBuilder, IndexBuilder, Input, Listed},
    copy::{CopyEvent, CopyListener, CopyOptions, Plan, Report, copy},
    descriptor::Descriptor,
    error::{Error, ErrorKind, Mismatch},
    image::{Entry, Fetched, Image, Index, Layer, Unpacked, Version, get},
    layout::Layout,
    manifest::Manifest,
    memory::Memory,
    parts::{Part, Parts},
    platform::{Platform, PlatformError},
    remote::{Referrers, Remote, Repositories, Tags},
    store::{ByteStream, Complaint, Sink, Source, Stored, read_blob, verified_blob},
    summary::{PlatformSummary, Summary},
    verify::{Verified, Verifier},
};
