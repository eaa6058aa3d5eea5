#![doc = include_str!("../README.md")]

mod alone;
mod background;
pub mod catalogue;
pub mod content;
pub mod cuts;
pub mod http2;
pub mod kills;
pub mod layout;
mod matrix;
pub mod origin;
pub mod peers;
pub mod proxy;
pub mod registry;
pub mod sample;
pub mod scenario;
pub mod tls;
pub mod upload_cuts;

pub use alone::alone;
