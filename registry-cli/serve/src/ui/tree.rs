//! What an index holds: its manifests, and theirs.

use registry_name::Identifier;

use super::address::Address;
use super::document::{Descriptor, Document};
use super::html::{Html, html};
use super::show::{self, MANY};
use super::view::View;
use crate::name::Name;
use crate::problem::Problem;

/// An index in an index is unfolded this often.
const DEPTH: usize = 3;

/// The tree below an index. However its parts are nested, at most [`MANY`] manifests are read.
pub(super) fn tree(view: &View, name: &Name, of: &[Descriptor]) -> Result<Html, Problem> {
    let mut left = MANY;
    let mut html = Html::default();
    html!(html; "<h2>Manifests</h2>\n" [branches(view, name, of, DEPTH, &mut left)?]);
    Ok(html)
}

fn branches(
    view: &View,
    name: &Name,
    of: &[Descriptor],
    depth: usize,
    left: &mut usize,
) -> Result<Html, Problem> {
    let mut list = Html::default();
    html!(list; "<ul class=\"tree\">\n");
    for one in of {
        if *left == 0 {
            html!(list; "<li>More are in the JSON below</li>\n");
            break;
        }
        *left -= 1;
        html!(list; "<li>" [branch(view, name, one, depth, left)?] "</li>\n");
    }
    html!(list; "</ul>\n");
    Ok(list)
}

fn branch(
    view: &View,
    name: &Name,
    one: &Descriptor,
    depth: usize,
    left: &mut usize,
) -> Result<Html, Problem> {
    let mut html = Html::default();
    let kind = one.platform().or_else(|| one.media_type.clone()).unwrap_or_default();
    let kind = show::clip(&kind);
    let Some(manifest) = view.store.manifest(name, &one.digest)? else {
        html!(html;
            (kind) " <code>" (show::short(&one.digest)) "</code> "
            "<span class=\"mark\">not in this registry</span>"
        );
        return Ok(html);
    };
    let document = Document::read(&manifest.bytes);
    let address = Address::Manifest(name.clone(), Identifier::Digest(one.digest.clone()));
    html!(html;
        "<a href=\"" (address) "\">" (if kind.is_empty() { "Manifest" } else { &kind }) " <code>"
        (show::short(&one.digest)) "</code></a>"
    );
    match &document.manifests {
        Some(below) if depth > 0 => html!(html; [branches(view, name, below, depth - 1, left)?]),
        Some(below) => html!(html; ", " (below.len()) " manifests"),
        None => html!(html; ", " (show::size(document.size())) "\n" [parts(name, &document)]),
    }
    Ok(html)
}

/// Configuration and layers, folded.
fn parts(name: &Name, document: &Document) -> Html {
    let mut html = Html::default();
    let count = document.content().count();
    html!(html;
        "<details><summary>" (count) (if count == 1 { " layer" } else { " layers" })
        "</summary>\n<ul>\n"
    );
    for (at, one) in document.config.iter().chain(document.content()).take(MANY).enumerate() {
        let what = if at == 0 && document.config.is_some() { "Configuration" } else { "Layer" };
        html!(html;
            "<li>" (what) " <a href=\"" (Address::Blob(name.clone(), one.digest.clone()))
            "\" download><code>" (show::short(&one.digest)) "</code></a>, " (show::size(one.size))
            "</li>\n"
        );
    }
    html!(html; "</ul>\n</details>\n");
    html
}
