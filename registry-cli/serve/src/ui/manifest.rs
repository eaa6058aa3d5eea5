//! `/ui/r/NAME:TAG` and `/ui/r/NAME@DIGEST`: one image, index or artifact.

use registry_name::{Digest, Identifier};

use super::address::Address;
use super::document::{Descriptor, Document};
use super::html::{Html, html};
use super::list::listed;
use super::view::View;
use super::{config, json, shell, show, tree};
use crate::name::Name;
use crate::problem::Problem;
use crate::store::Manifest;

pub(super) fn page(
    view: &View,
    name: &Name,
    identifier: &Identifier,
) -> Result<Option<Html>, Problem> {
    let digest = match identifier {
        Identifier::Digest(digest) => Some(digest.clone()),
        Identifier::Tag(tag) => view.store.tag(name, tag)?,
    };
    let Some(digest) = digest else { return Ok(None) };
    let Some(manifest) = view.store.manifest(name, &digest)? else { return Ok(None) };
    let document = Document::read(&manifest.bytes);
    let (separator, shown) = match identifier {
        Identifier::Tag(tag) => (":", tag.to_string()),
        Identifier::Digest(digest) => ("@", show::short(digest)),
    };

    let mut content = Html::default();
    html!(content;
        "<h1>" (name) (separator) (shown) "</h1>\n"
        [summary(name, &digest, &manifest, &document)]
        [commands(view, name, identifier, &digest, &document)]
    );
    if let Some(manifests) = &document.manifests {
        html!(content; [tree::tree(view, name, manifests)?]);
    } else {
        html!(content; [layers(name, &document)] [config::sections(view, name, &document)?]);
    }
    if let Some(annotations) = document.annotations() {
        html!(content; "<h2>Annotations</h2>\n<dl>\n");
        show::rows(&mut content, annotations);
        html!(content; "</dl>\n");
    }
    let here = Address::Manifest(name.clone(), identifier.clone());
    html!(content; [referrers(view, name, &digest, &here)?] "<h2>Manifest</h2>\n");
    let stored = Address::RawManifest(name.clone(), digest);
    html!(content; [json::section("Manifest, JSON", &manifest.bytes, &stored)]);

    let title = format!("{name}{separator}{shown} · {}", view.host);
    let repository = Address::Repository(name.clone());
    let trail = [(name.as_str(), Some(repository)), (shown.as_str(), None)];
    Ok(Some(shell::page(&title, &trail, &content)))
}

fn summary(name: &Name, digest: &Digest, manifest: &Manifest, document: &Document) -> Html {
    let mut list = Html::default();
    html!(list; "<dl>\n<dt>Digest</dt><dd><code>" (digest) "</code></dd>\n");
    show::row(&mut list, "Media type", Some(&manifest.media_type));
    show::row(&mut list, "Artifact type", document.artifact_type());
    if document.manifests.is_none() {
        let layers = document.content().count();
        let unit = if layers == 1 { "layer" } else { "layers" };
        let size = format!("{} in {layers} {unit} and configuration", show::size(document.size()));
        show::row(&mut list, "Size", Some(&size));
    }
    if let Some(subject) = &document.subject {
        let identifier = Identifier::Digest(subject.digest.clone());
        html!(list;
            "<dt>Refers to</dt><dd><a href=\"" (Address::Manifest(name.clone(), identifier))
            "\"><code>" (show::short(&subject.digest)) "</code></a></dd>\n"
        );
    }
    html!(list; "</dl>\n");
    list
}

/// Commands that get it, to copy.
fn commands(
    view: &View,
    name: &Name,
    identifier: &Identifier,
    digest: &Digest,
    document: &Document,
) -> Html {
    let repository = format!("{}/{name}", view.host);
    let by_digest = format!("{repository}@{digest}");
    let reference = match identifier {
        Identifier::Tag(tag) => format!("{repository}:{tag}"),
        Identifier::Digest(_) => by_digest.clone(),
    };
    let mut commands = Vec::new();
    if document.artifact_type().is_some() {
        commands.push(format!("oras pull {reference}"));
    } else {
        commands.push(format!("docker pull {reference}"));
        if identifier.tag().is_some() {
            commands.push(format!("docker pull {by_digest}"));
        }
        commands.push(format!("podman pull {reference}"));
    }
    commands.push(format!("registry pull {reference} oci:image"));
    let mut html = Html::default();
    html!(html; "<h2>Pull</h2>\n");
    for command in commands {
        html!(html; "<p class=\"command\"><code data-copy>" (command) "</code></p>\n");
    }
    html
}

fn layers(name: &Name, document: &Document) -> Html {
    let mut table = Html::default();
    let all: Vec<&Descriptor> = document.content().collect();
    if all.is_empty() {
        return table;
    }
    html!(table;
        "<h2>Layers</h2>\n<table class=\"fold\">\n<thead><tr>"
        "<th scope=\"col\">Digest</th><th scope=\"col\">Media type</th>"
        "<th scope=\"col\" class=\"number\">Size</th></tr></thead>\n<tbody>\n"
    );
    for layer in all.iter().take(show::MANY) {
        html!(table;
            "<tr><th scope=\"row\"><a href=\"" (Address::Blob(name.clone(), layer.digest.clone()))
            "\" download><code>" (show::short(&layer.digest)) "</code></a></th>"
            "<td data-label=\"Media type\">"
            (show::clip(layer.media_type.as_deref().unwrap_or_default())) "</td>"
            "<td data-label=\"Size\" class=\"number\">" (show::size(layer.size)) "</td></tr>\n"
        );
    }
    html!(table; "</tbody>\n</table>\n");
    if all.len() > show::MANY {
        html!(table; "<p>" (all.len() - show::MANY) " more layers are in the JSON below.</p>\n");
    }
    table
}

/// What refers to this manifest: signatures, lists of packages, attestations.
fn referrers(view: &View, name: &Name, digest: &Digest, here: &Address) -> Result<Html, Problem> {
    let mut table = Html::default();
    let listed = listed(view, view.store.referrers(name, digest)?, |(digest, _)| digest.as_str());
    if listed.entries.is_empty() {
        return Ok(table);
    }
    html!(table;
        "<h2>Referrers</h2>\n<table class=\"fold\">\n<thead><tr><th scope=\"col\">Artifact type</th>"
        "<th scope=\"col\">Digest</th><th scope=\"col\" class=\"number\">Size</th></tr></thead>\n<tbody>\n"
    );
    for (digest, manifest) in &listed.entries {
        let document = Document::read(&manifest.bytes);
        let kind = document.artifact_type().unwrap_or(&manifest.media_type);
        let address = Address::Manifest(name.clone(), Identifier::Digest(digest.clone()));
        html!(table;
            "<tr><th scope=\"row\">" (show::clip(kind)) "</th><td data-label=\"Digest\"><a href=\""
            (address) "\"><code>" (show::short(digest)) "</code></a></td>"
            "<td data-label=\"Size\" class=\"number\">" (show::size(document.size())) "</td></tr>\n"
        );
    }
    html!(table; "</tbody>\n</table>\n" [listed.links(view, here, "referrers")]);
    Ok(table)
}
