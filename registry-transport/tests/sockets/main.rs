//! The transport against scripted origins on loopback: real sockets, two origins in every test that could leak.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod authentication;
mod bodies;
mod common;
#[cfg(feature = "files")]
mod files;
mod insecure;
mod kinds;
mod redirects;
mod retries;
mod schemes;
mod secrets;
mod tokens;
