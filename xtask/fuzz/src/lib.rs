//! What fuzzing checks: one function over bytes for each target, which panics where a rule is broken.
//!
//! The tests `corpus.rs` of the crates include these files and replay what is stored in `corpus/`.

pub mod challenge;
pub mod config_json;
pub mod digest;
pub mod error_body;
pub mod helper_output;
pub mod link_header;
pub mod location_origin;
pub mod reference;
pub mod retry_after;
pub mod token_response;
