//! The short form for people.

use std::fmt;

use crate::digest::Digest;
use crate::registry::looks_like_host;
use crate::repository::{OFFICIAL, Repository};
use crate::tag::Tag;

/// A reference or repository without what Docker's defaults add: `ubuntu:22.04`.
///
/// What it displays parses back to the same name: where leaving out `docker.io/` would change the
/// meaning (`docker.io/a.b/c`), it stays.
#[derive(Clone, Copy, Debug)]
pub struct Familiar<'a> {
    repository: &'a Repository,
    tag: Option<&'a Tag>,
    digest: Option<&'a Digest>,
}

impl<'a> Familiar<'a> {
    pub(crate) fn new(
        repository: &'a Repository,
        tag: Option<&'a Tag>,
        digest: Option<&'a Digest>,
    ) -> Self {
        Self { repository, tag, digest }
    }

    fn name(&self) -> &'a str {
        let full = self.repository.as_str();
        if !self.repository.is_on_docker_hub() {
            return full;
        }
        let path = self.repository.path();
        match path.split_once('/') {
            Some((OFFICIAL, name)) if !name.contains('/') => {
                let bare = self.tag.is_none() && self.digest.is_none();
                if bare && is_image_id(name) { full } else { name }
            }
            Some((first, _)) if looks_like_host(first) => full,
            _ => path,
        }
    }
}

/// 64 hexadecimal digits alone are an image's identifier to Docker, never a name.
pub(crate) fn is_image_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

impl fmt::Display for Familiar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        if let Some(tag) = self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}
