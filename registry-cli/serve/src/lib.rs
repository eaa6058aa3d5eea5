#![doc = include_str!("../README.md")]

mod access;
mod body;
mod condition;
mod connections;
mod error;
mod fault;
mod garbage;
mod handlers;
mod hash;
mod manifest;
mod metrics;
mod name;
mod page;
mod problem;
mod range;
mod rate;
mod registry;
mod request_log;
mod route;
mod running;
mod server;
mod sessions;
mod store;
#[cfg(feature = "tls")]
mod tls;
mod ui;
mod work;

pub use access::{Access, Bearer, HtpasswdError, Rights, UnknownRight, Users};
pub use error::Error;
pub use fault::{Fault, UnknownFault};
pub use garbage::Collected;
pub use registry::{Builder, Registry};
pub use request_log::RequestRecord;
pub use running::Running;
#[cfg(feature = "tls")]
pub use tls::Tls;
