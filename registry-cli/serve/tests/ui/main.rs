//! The web page as browsers get it, over real sockets.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails or is skipped that way, and so do its helpers"
)]

mod access;
mod accessible;
mod browser;
#[allow(dead_code, reason = "the other tests need more of it")]
#[path = "../registry/client.rs"]
mod client;
mod escaping;
mod lists;
mod pages;
mod samples;
