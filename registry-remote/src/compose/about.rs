//! What a manifest and an index may say beside what they list, and its JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{manifest, plain};
use crate::{Descriptor, Error, Manifest};

/// What is said about the whole.
#[derive(Debug, Default)]
pub(super) struct About {
    artifact_type: Option<String>,
    subject: Option<Descriptor>,
    annotations: BTreeMap<String, String>,
}

/// A manifest or an index, the fields in the order in which they are written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema_version: u8,
    media_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<&'a String>,
    #[serde(flatten)]
    listed: Lists<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a Descriptor>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

/// What is listed.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Lists<'a> {
    Image { config: &'a Descriptor, layers: &'a [Descriptor] },
    Index { manifests: &'a [Descriptor] },
}

impl About {
    pub(super) fn annotate(&mut self, key: String, value: String) {
        self.annotations.insert(key, value);
    }

    pub(super) fn is_a(&mut self, artifact_type: String) {
        self.artifact_type = Some(artifact_type);
    }

    pub(super) fn is_about(&mut self, subject: &Descriptor) {
        self.subject = Some(plain(subject));
    }

    pub(super) fn write(&self, media_type: &str, listed: Lists<'_>) -> Result<Manifest, Error> {
        manifest(&Document {
            schema_version: 2,
            media_type,
            artifact_type: self.artifact_type.as_ref(),
            listed,
            subject: self.subject.as_ref(),
            annotations: &self.annotations,
        })
    }
}

/// The methods by which a builder with a field `about` is told what to say about the whole.
macro_rules! about_setters {
    () => {
        /// Says something about the whole.
        pub fn annotation(
            &mut self,
            key: impl Into<String>,
            value: impl Into<String>,
        ) -> &mut Self {
            self.about.annotate(key.into(), value.into());
            self
        }

        /// What kind of artifact this is.
        pub fn artifact_type(&mut self, artifact_type: impl Into<String>) -> &mut Self {
            self.about.is_a(artifact_type.into());
            self
        }

        /// The manifest that this one is about.
        pub fn subject(&mut self, subject: &$crate::Descriptor) -> &mut Self {
            self.about.is_about(subject);
            self
        }
    };
}
pub(super) use about_setters;
