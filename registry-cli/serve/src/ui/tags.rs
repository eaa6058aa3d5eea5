//! `/ui/r/NAME`: the tags of a repository.

use registry_name::{Identifier, Tag};

use super::address::Address;
use super::document::{Descriptor, Document};
use super::html::{Html, html};
use super::list::{filter, listed};
use super::show;
use super::view::View;
use super::{config, shell};
use crate::name::Name;
use crate::problem::Problem;

/// Platforms of one tag that a row names.
const PLATFORMS: usize = 8;

pub(super) fn page(view: &View, name: &Name) -> Result<Option<Html>, Problem> {
    let Some(tags) = view.store.tags(name)? else { return Ok(None) };
    let any = !tags.is_empty();
    let listed = listed(view, tags, Tag::as_str);
    let here = Address::Repository(name.clone());

    let mut content = Html::default();
    html!(content; "<h1>" (name) "</h1>\n");
    if any {
        html!(content;
            [filter(view, &here, "Part of a tag")]
            "<p>" (listed.total) (if listed.total == 1 { " tag" } else { " tags" }) "</p>\n"
        );
    } else {
        html!(content; "<p>This repository has no tags.</p>\n");
    }
    if !listed.entries.is_empty() {
        html!(content;
            "<table class=\"fold\">\n<thead><tr><th scope=\"col\">Tag</th>"
            "<th scope=\"col\">Digest</th><th scope=\"col\">Platforms</th>"
            "<th scope=\"col\" class=\"number\">Size</th></tr></thead>\n<tbody>\n"
        );
        for tag in &listed.entries {
            html!(content; [entry(view, name, tag)?]);
        }
        html!(content; "</tbody>\n</table>\n");
    }
    html!(content; [listed.links(view, &here, "tags")]);
    let title = format!("{name} · {}", view.host);
    Ok(Some(shell::page(&title, &[(name.as_str(), None)], &content)))
}

/// A row; nothing for a tag that was deleted since.
fn entry(view: &View, name: &Name, tag: &Tag) -> Result<Html, Problem> {
    let mut row = Html::default();
    let Some(digest) = view.store.tag(name, tag)? else { return Ok(row) };
    let Some(manifest) = view.store.manifest(name, &digest)? else { return Ok(row) };
    let document = Document::read(&manifest.bytes);
    let (platforms, size) = if let Some(manifests) = &document.manifests {
        (platforms(manifests), "several images".to_owned())
    } else {
        let platform = config::platform(view, name, &document)?;
        let kind = platform.or_else(|| document.artifact_type().map(str::to_owned));
        (kind.unwrap_or_default(), show::size(document.size()))
    };
    html!(row;
        "<tr><th scope=\"row\"><a href=\""
        (Address::Manifest(name.clone(), Identifier::Tag(tag.clone()))) "\">" (tag) "</a></th>"
        "<td data-label=\"Digest\"><code>" (show::short(&digest)) "</code></td>"
        "<td data-label=\"Platforms\">" (show::clip(&platforms)) "</td>"
        "<td class=\"number\" data-label=\"Size\">"
        (size) "</td></tr>\n"
    );
    Ok(row)
}

fn platforms(of: &[Descriptor]) -> String {
    let mut names: Vec<_> =
        of.iter().filter_map(Descriptor::platform).take(PLATFORMS + 1).collect();
    if let Some(last) = names.get_mut(PLATFORMS) {
        "…".clone_into(last);
    }
    names.join(", ")
}
