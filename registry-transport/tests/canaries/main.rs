//! Secrets as canaries: wherever one turns up that is not its origin, it has escaped.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod everything;
mod hostile;
mod logs;
mod urls;
