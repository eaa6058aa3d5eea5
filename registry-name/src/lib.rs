#![doc = include_str!("../README.md")]

mod defaults;
mod digest;
mod error;
mod familiar;
mod identifier;
mod reference;
mod registry;
mod repository;
mod scan;
mod tag;
mod traits;

pub use defaults::Defaults;
pub use digest::{Algorithm, Digest};
pub use error::{Component, ParseError, without_password};
pub use familiar::Familiar;
pub use identifier::Identifier;
pub use reference::Reference;
pub use registry::Registry;
pub use repository::Repository;
pub use tag::Tag;
