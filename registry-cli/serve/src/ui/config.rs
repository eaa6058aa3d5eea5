//! The configuration of an image and its history (OCI image specification, "Image Configuration").

use std::io::Read;

use serde_json::{Map, Value};

use super::address::Address;
use super::document::{self, Descriptor, Document, is_image_config};
use super::html::{Html, html};
use super::view::View;
use super::{json, show};
use crate::name::Name;
use crate::problem::Problem;
use crate::store::{Blob, Content};

/// Larger configurations are not read.
const READ: u64 = 1 << 20;

/// Nor are these for a list, which has a hundred of them.
const READ_IN_LIST: u64 = 64 << 10;

/// The platform in an image's configuration.
pub(super) fn platform(view: &View, name: &Name, of: &Document) -> Result<Option<String>, Problem> {
    let Some(config) = image_config(of) else { return Ok(None) };
    let bytes = bytes(view, name, config, READ_IN_LIST)?;
    let value = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Ok(value.as_ref().and_then(document::platform))
}

/// Configuration, history and the JSON.
pub(super) fn sections(view: &View, name: &Name, of: &Document) -> Result<Html, Problem> {
    let mut sections = Html::default();
    let Some(descriptor) = &of.config else { return Ok(sections) };
    let address = Address::Blob(name.clone(), descriptor.digest.clone());
    html!(sections; "<h2>Configuration</h2>\n");
    let Some(bytes) = bytes(view, name, descriptor, READ)? else {
        html!(sections;
            "<p><a href=\"" (address) "\">Configuration as it is stored</a>, "
            (show::size(descriptor.size)) "</p>\n"
        );
        return Ok(sections);
    };
    if image_config(of).is_some()
        && let Ok(value) = serde_json::from_slice::<Value>(&bytes)
    {
        html!(sections; [settings(&value)]);
        html!(sections; [json::section("Configuration, JSON", &bytes, &address)]);
        html!(sections; [history(&value, of)]);
    } else {
        html!(sections; [json::section("Configuration, JSON", &bytes, &address)]);
    }
    Ok(sections)
}

fn image_config(of: &Document) -> Option<&Descriptor> {
    of.config.as_ref().filter(|config| config.media_type.as_deref().is_some_and(is_image_config))
}

/// `None`: the configuration is larger than `limit`, or not here.
fn bytes(
    view: &View,
    name: &Name,
    of: &Descriptor,
    limit: u64,
) -> Result<Option<Vec<u8>>, Problem> {
    match view.store.blob(name, &of.digest)? {
        Some(Blob { size, content }) if size <= limit => Ok(Some(match content {
            Content::Memory(bytes) => bytes.to_vec(),
            Content::File(file) => {
                let mut bytes = Vec::new();
                file.take(limit).read_to_end(&mut bytes)?;
                bytes
            }
        })),
        _ => Ok(None),
    }
}

fn settings(config: &Value) -> Html {
    let mut list = Html::default();
    let text = |key: &str| config.get(key).and_then(Value::as_str);
    html!(list; "<dl>\n");
    show::row(&mut list, "Platform", document::platform(config).as_deref());
    show::row(&mut list, "Created", text("created"));
    show::row(&mut list, "Author", text("author"));
    let running = config.get("config").and_then(Value::as_object);
    for (key, label) in [
        ("User", "User"),
        ("WorkingDir", "Working directory"),
        ("Entrypoint", "Entrypoint"),
        ("Cmd", "Command"),
        ("Env", "Environment"),
        ("ExposedPorts", "Ports"),
        ("Volumes", "Volumes"),
        ("StopSignal", "Stop signal"),
    ] {
        let Some(value) = running.and_then(|running| running.get(key)) else { continue };
        show::row(&mut list, label, Some(&lines(key, value)));
    }
    html!(list; "</dl>\n");
    if let Some(labels) = labels(running) {
        html!(list; "<h3>Labels</h3>\n<dl>\n");
        show::rows(&mut list, labels);
        html!(list; "</dl>\n");
    }
    list
}

fn labels(running: Option<&Map<String, Value>>) -> Option<&Map<String, Value>> {
    running?.get("Labels")?.as_object().filter(|labels| !labels.is_empty())
}

/// A command in one line, as JSON, so that its words can be told apart; other lists line by line.
fn lines(key: &str, value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Array(_) if matches!(key, "Cmd" | "Entrypoint") => show::value(value),
        Value::Array(entries) => join(entries.iter().map(show::value)),
        // Ports and volumes are the keys of an object.
        Value::Object(entries) => join(entries.keys().map(|key| show::clip(key))),
        other => show::value(other),
    }
}

fn join(lines: impl Iterator<Item = String>) -> String {
    lines.take(show::MANY).collect::<Vec<_>>().join("\n")
}

/// One row for each step; steps that are not empty have a layer, in the same order.
fn history(config: &Value, of: &Document) -> Html {
    let mut html = Html::default();
    let steps = config.get("history").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if steps.is_empty() {
        return html;
    }
    html!(html;
        "<h2>History</h2>\n<table class=\"fold\">\n<thead><tr><th scope=\"col\">Created</th>"
        "<th scope=\"col\">Step</th><th scope=\"col\" class=\"number\">Layer</th></tr></thead>\n<tbody>\n"
    );
    let mut layers = of.layers.iter();
    for step in steps.iter().take(show::MANY) {
        let text = |key: &str| step.get(key).and_then(Value::as_str).map(show::clip);
        let empty = step.get("empty_layer").and_then(Value::as_bool).unwrap_or(false);
        let layer = if empty { None } else { layers.next() };
        let by = text("created_by").or_else(|| text("comment")).unwrap_or_default();
        html!(html;
            "<tr><td data-label=\"Created\" class=\"date\">" (text("created").unwrap_or_default()) "</td>"
            "<td data-label=\"Step\"><code>" (by) "</code></td>"
            "<td data-label=\"Layer\" class=\"number\">"
            (layer.map_or_else(|| "none".to_owned(), |layer| show::size(layer.size)))
            "</td></tr>\n"
        );
    }
    html!(html; "</tbody>\n</table>\n");
    if steps.len() > show::MANY {
        html!(html; "<p>" (steps.len() - show::MANY) " more steps are in the JSON.</p>\n");
    }
    html
}
