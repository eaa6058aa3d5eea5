//! How much happens at the same time, in one place. The figures come from `cargo xtask bench`.

/// Blobs that move at a time, unless told otherwise: small layers are bound by round trips, and
/// large ones fill a line with fewer.
pub(crate) const JOBS: usize = 16;

/// Up to this size, in bytes, a blob shares a connection where the protocol lets it (HTTP/2): a new
/// connection costs more round trips than it is worth. A larger one goes over one of its own.
pub(crate) const SHARED_UP_TO: u64 = 256 << 10;

/// Ranges of one blob that are read at a time, at most. There is one at first; see
/// [`pace`](crate::local::pace).
pub(crate) const RANGES: usize = 8;

/// Connections over which one client reads large blobs, all of them together; a blob that finds none
/// left has one of its own, and no ranges. What is on its way in memory is bounded by them.
pub(crate) const RANGED_CONNECTIONS: usize = 8;

/// From this size on, in bytes, a blob may be read in ranges; a smaller one is one request. Ranges
/// are no smaller than half of it.
pub(crate) const RANGED_FROM: u64 = 8 << 20;

/// From this size on, in bytes, what an interrupted process fetched of a blob is kept for the next.
pub(crate) const RESUMED_FROM: u64 = 1 << 20;
