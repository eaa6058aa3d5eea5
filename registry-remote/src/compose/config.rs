//! The configuration of an image in the making.

use std::collections::BTreeMap;

use registry_name::Digest;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::{unsupported, unwritable};
use crate::{Descriptor, Error, Platform};

/// Fields of a configuration, each with its exact text.
pub(super) type Fields = BTreeMap<String, Box<RawValue>>;

/// What a manifest names as its configuration.
#[derive(Debug)]
pub(super) enum Config {
    /// Of an image that runs, written here.
    Image(Platform, Fields),
    /// Given as it is, with the platform that it names.
    Given(Box<Descriptor>, Option<Platform>),
}

#[derive(Serialize)]
struct RootFs<'a> {
    r#type: &'a str,
    diff_ids: &'a [Digest],
}

/// A step of an image's history.
#[derive(Deserialize)]
struct Step {
    empty_layer: Option<bool>,
}

#[derive(Serialize)]
struct Addition {
    created_by: &'static str,
}

pub(super) fn parse(fields: &[u8]) -> Result<Fields, Error> {
    serde_json::from_slice(fields)
        .map_err(|error| unsupported(&format!("a configuration is a JSON object ({error})")))
}

/// The text of a configuration: these fields, for this platform and these layers.
pub(super) fn write(
    platform: &Platform,
    fields: &Fields,
    diff_ids: &[Digest],
) -> Result<Vec<u8>, Error> {
    let text = || -> serde_json::Result<Vec<u8>> {
        let mut fields = fields.clone();
        let said: Fields = serde_json::from_slice(&serde_json::to_vec(platform)?)?;
        fields.extend(said);
        let rootfs = RootFs { r#type: "layers", diff_ids };
        fields.insert("rootfs".to_owned(), to_raw_value(&rootfs)?);
        if let Some(history) = fields.get("history") {
            let history = continued(history, diff_ids.len())?;
            fields.insert("history".to_owned(), history);
        }
        serde_json::to_vec(&fields)
    };
    text().map_err(|error| unwritable(&error))
}

/// A history has one step for each layer, and others for what made none ([image-spec,
/// config](https://github.com/opencontainers/image-spec/blob/main/config.md#properties)). Where
/// there is one, layers that were put on top are added to it.
fn continued(history: &RawValue, layers: usize) -> serde_json::Result<Box<RawValue>> {
    let Ok(mut steps) = serde_json::from_str::<Vec<Box<RawValue>>>(history.get()) else {
        return Ok(history.to_owned());
    };
    let makes_layer = |step: &RawValue| {
        serde_json::from_str::<Step>(step.get()).is_ok_and(|step| step.empty_layer != Some(true))
    };
    let told = steps.iter().filter(|step| makes_layer(step)).count();
    if steps.is_empty() || told >= layers {
        return Ok(history.to_owned());
    }
    for _ in told..layers {
        steps.push(to_raw_value(&Addition { created_by: "registry-remote" })?);
    }
    to_raw_value(&steps)
}
