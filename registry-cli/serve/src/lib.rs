#![doc = include_str!("../README.md")]

mod access;
mod body;
mod condition;
mod connections;
mod error;
mod handlers;
mod hash;
mod manifest;
mod name;
mod page;
mod problem;
mod range;
mod registry;
mod request_log;
mod route;
mod running;
mod server;
mod sessions;
mod store;
mod ui;
mod work;

pub use access::{Access, Bearer, Users};
pub use error::Error;
pub use registry::{Builder, Registry};
pub use request_log::RequestRecord;
pub use running::Running;
