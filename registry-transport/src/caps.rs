//! How large an answer may be that is read as a whole.

/// The most that is read of each kind of small body, in bytes. What is longer fails, or is cut where only its text matters;
/// nothing is allocated for a length that was only announced.
///
/// ```
/// use registry_transport::{Caps, Transport};
///
/// let mut caps = Caps::default();
/// caps.manifest = 16 << 20; // for annotations of unusual size
/// let transport = Transport::builder().caps(caps).build()?;
/// assert_eq!(transport.caps().page, 16 << 20);
/// # Ok::<(), registry_transport::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caps {
    /// A manifest: 4 MiB. For callers of [`Response::bytes`](crate::Response::bytes), who know what they asked for.
    pub manifest: u64,
    /// A page of a list: 16 MiB. For callers as well.
    pub page: u64,
    /// A token endpoint's answer: 64 KiB.
    pub token: u64,
    /// The text of an error: 64 KiB. An error that is longer keeps its status.
    pub error: u64,
}

impl Default for Caps {
    fn default() -> Self {
        Self { manifest: MANIFEST_CAP, page: PAGE_CAP, token: SMALL_CAP, error: SMALL_CAP }
    }
}

/// A whole manifest, unless [`Caps`] say otherwise: 4 MiB.
pub const MANIFEST_CAP: u64 = 4 << 20;
/// A page of a list, unless [`Caps`] say otherwise: 16 MiB.
pub const PAGE_CAP: u64 = 16 << 20;
/// A token answer or the text of an error.
const SMALL_CAP: u64 = 64 << 10;
