//! What goes along with an image that is pushed, pulled or copied, and how.

use std::{num::NonZeroU64, str::FromStr};

use registry_name::Repository;
use registry_remote::{
    CopyOptions,
    copy::{Referring, TagFilter, TagPattern},
};

use crate::{
    failure::Failure,
    place::{Endpoint, Place},
    session::Session,
};

/// The options that push, pull and copy share.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Along {
    /// Take along what refers to the image: signatures, SBOMs, and what refers to those
    #[arg(long)]
    referrers: bool,

    /// Of what refers to the image, take only this type; may be given several times
    #[arg(long, value_name = "TYPE", requires = "referrers")]
    artifact_type: Vec<String>,

    /// How far to follow referrers: 1 for those of the image alone
    #[arg(long, value_name = "N", requires = "referrers")]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=8))]
    depth: Option<u8>,

    /// Take along what is tagged by the image's digest, such as sha256-….sig
    #[arg(long)]
    digest_tags: bool,

    /// Every tag of a repository, a layout or an archive; then neither side names a tag
    #[arg(long, short = 'a')]
    pub(crate) all_tags: bool,

    /// With --all-tags: only tags that match this pattern of `*` and `?`; may be given several times
    #[arg(long, value_name = "PATTERN", requires = "all_tags")]
    include: Vec<TagPattern>,

    /// With --all-tags: no tag that matches this pattern; may be given several times
    #[arg(long, value_name = "PATTERN", requires = "all_tags")]
    exclude: Vec<TagPattern>,

    /// Leave a tag alone that names something else at the destination, and an archive that is there
    #[arg(long, short)]
    pub(crate) no_clobber: bool,

    /// Copy layers too that their registry declares as not for redistribution, from the URLs they name if it lacks them
    #[arg(long)]
    nondistributable: bool,

    /// Bytes of layers a second, all together: 500K, 10M
    #[arg(long, value_name = "RATE")]
    limit_rate: Option<Rate>,

    /// Only say what would be done, with bytes and requests
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Bytes a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rate(NonZeroU64);

impl Along {
    pub(crate) fn apply(&self, options: &mut CopyOptions) {
        options.referrers = self.referrers.then(|| {
            let mut referring = Referring::default();
            referring.artifact_types.clone_from(&self.artifact_type);
            referring.depth = self.depth.map_or(referring.depth, usize::from);
            referring
        });
        options.digest_tags = self.digest_tags;
        options.no_clobber = self.no_clobber;
        options.nondistributable = self.nondistributable;
        options.rate = self.limit_rate.map(|rate| rate.0);
    }

    pub(crate) fn filter(&self) -> TagFilter {
        TagFilter { include: self.include.clone(), exclude: self.exclude.clone() }
    }

    /// An image of a registry, or with `--all-tags` a repository.
    pub(crate) fn image(&self, word: &str) -> Result<Endpoint, Failure> {
        if self.all_tags {
            // Refuses a tag, and a digest.
            word.parse::<Repository>()?;
        }
        Ok(Endpoint::Image(word.parse()?))
    }

    /// What `copy` reads from. A short name may stand for another, as in every verb that reads.
    pub(crate) fn source(&self, session: &Session, word: &str) -> Result<Endpoint, Failure> {
        match Endpoint::source(word)? {
            Endpoint::Place(place) => self.place(place),
            Endpoint::Image(_) => self.image(&session.long(word)?),
        }
    }

    /// What `copy` writes to.
    pub(crate) fn destination(&self, word: &str) -> Result<Endpoint, Failure> {
        match Endpoint::destination(word)? {
            Endpoint::Place(place) => self.place(place),
            Endpoint::Image(_) => self.image(word),
        }
    }

    /// A place, which names no tag where all of them are meant.
    pub(crate) fn place(&self, place: Place) -> Result<Endpoint, Failure> {
        if self.all_tags && place.name.is_some() {
            return Err(Failure::usage(
                "--all-tags is about every tag, and this place names one",
                "leave the tag out of the place, or leave --all-tags out",
            ));
        }
        Ok(Endpoint::Place(place))
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (digits, factor) = match text.as_bytes().last() {
            Some(b'k' | b'K') => (&text[..text.len() - 1], 1 << 10),
            Some(b'm' | b'M') => (&text[..text.len() - 1], 1 << 20),
            Some(b'g' | b'G') => (&text[..text.len() - 1], 1 << 30),
            _ => (text, 1),
        };
        let rate = digits.parse().ok().and_then(|rate: u64| rate.checked_mul(factor));
        let rate = rate.and_then(NonZeroU64::new).map(Self);
        rate.ok_or_else(|| "expected bytes a second, such as 500K, 10M or 1G".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_bytes_in_powers_of_1024() {
        for (text, bytes) in [("1", 1), ("500k", 500 << 10), ("10M", 10 << 20), ("2G", 2 << 30)] {
            assert_eq!(text.parse::<Rate>().map(|rate| rate.0.get()), Ok(bytes), "{text}");
        }
        for text in ["", "0", "M", "1.5M", "-1", "10MB", "99999999999G", "é"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }
}
