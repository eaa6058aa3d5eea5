#![doc = include_str!("../README.md")]

pub mod catalogue;
pub mod content;
pub mod layout;
pub mod origin;
pub mod peers;
pub mod registry;
pub mod sample;
pub mod scenario;
