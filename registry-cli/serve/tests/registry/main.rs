//! The registry as a client sees it, over real sockets, in memory and on disk.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails that way, and so do its helpers"
)]

mod access;
mod client;
mod full;
mod hostile;
mod life;
mod lists;
mod manifests;
mod operation;
mod pull;
mod push;
mod rights;
mod tls;
