//! The transport against scripted origins on loopback: real sockets, two origins in every test that could leak.

mod authentication;
mod bodies;
mod common;
mod redirects;
mod retries;
mod tokens;
