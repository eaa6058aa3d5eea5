//! The scenarios, one file a chapter. Their identifiers are those of the project's catalogue of faults: D downloads, M manifests,
//! I identity, R redirects, A authentication, E errors and limits, U uploads, P mounts and manifests that are pushed, L listing,
//! G graphs of content, H framing, T TLS and proxies, F files. What no scenario can show, a test elsewhere does; `tests` knows which.

mod authentication;
mod connections;
mod downloads;
mod files;
mod framing;
mod graphs;
mod identity;
mod lengths;
mod limits;
mod listing;
mod manifests;
mod redirects;
mod referrers;
mod sessions;
#[cfg(test)]
mod tests;
mod uploads;

use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;

use crate::content::Image;
use crate::origin::{Rule, Script, on};
use crate::registry::{Access, Registry};
use crate::scenario::{
    Action, Bound, Entry, Expect, Limit, PASSWORD, REPOSITORY, Scenario, TAG, USER,
};

/// Where uploads begin and go on.
const UPLOADS: &str = "*/blobs/uploads/*";

/// Every scenario.
pub fn all() -> Vec<Scenario> {
    let mut all = downloads::scenarios();
    all.extend(lengths::scenarios());
    all.extend(manifests::scenarios());
    all.extend(identity::scenarios());
    all.extend(redirects::scenarios());
    all.extend(authentication::scenarios());
    all.extend(limits::scenarios());
    all.extend(uploads::scenarios());
    all.extend(sessions::scenarios());
    all.extend(referrers::scenarios());
    all.extend(listing::scenarios());
    all.extend(graphs::scenarios());
    all.extend(connections::scenarios());
    all.extend(framing::scenarios());
    all.extend(files::scenarios());
    all
}

/// The scenario of this name.
pub fn named(name: &str) -> Option<Scenario> {
    all().into_iter().find(|scenario| scenario.name == name)
}

/// A registry that holds the scenarios' image.
fn stocked() -> Registry {
    Registry::new().with_image(REPOSITORY, TAG, &Image::small())
}

/// The last layer of the image, and the rule for asking for it.
fn last_layer() -> (crate::content::Blob, Rule) {
    let layer = Image::small().last_layer().clone();
    let rule = on("GET", format!("*/blobs/{}", layer.digest));
    (layer, rule)
}

fn basic() -> Access {
    Access::Basic { user: USER.to_owned(), password: PASSWORD.to_owned() }
}

fn bearer(realm: &str) -> Access {
    Access::bearer(realm, USER, PASSWORD)
}

impl Scenario {
    fn at(mut self, name: &'static str, script: Script) -> Self {
        self.origins.push((name, script));
        self
    }

    /// The image registry with these rules laid over it.
    fn with_rules(self, rules: impl IntoIterator<Item = Rule>) -> Self {
        let script = rules.into_iter().fold(Script::registry(stocked()), Script::rule);
        self.at("A", script)
    }

    fn through(mut self, entry: Entry) -> Self {
        self.entry = entry;
        self
    }

    fn asked_to(mut self, action: Action) -> Self {
        self.action = action;
        self
    }

    fn of(mut self, reference: &str) -> Self {
        reference.clone_into(&mut self.reference);
        self
    }

    fn with_image(mut self, image: Image) -> Self {
        self.image = image;
        self
    }

    /// With these files in the layout, before the client comes.
    fn prepared(mut self, files: impl IntoIterator<Item = (String, Bytes)>) -> Self {
        self.prepared.extend(files);
        self
    }

    fn logged_in(mut self) -> Self {
        self.login = true;
        self
    }

    fn expecting(mut self, expect: Expect) -> Self {
        self.expect = expect;
        self
    }

    fn bound(
        mut self,
        origin: &'static str,
        method: &'static str,
        path: &str,
        limit: Limit,
    ) -> Self {
        self.bounds.push(Bound { origin, method, path: path.to_owned(), limit });
        self
    }

    fn requests(
        self,
        origin: &'static str,
        method: &'static str,
        path: &str,
        count: RangeInclusive<usize>,
    ) -> Self {
        self.bound(origin, method, path, Limit::Requests(count))
    }

    fn sent(self, origin: &'static str, method: &'static str, path: &str, at_most: u64) -> Self {
        self.bound(origin, method, path, Limit::SentAtMost(at_most))
    }

    fn pause(self, method: &'static str, path: &str, seconds: u64) -> Self {
        self.bound("A", method, path, Limit::PauseAtLeast(Duration::from_secs(seconds)))
    }
}
