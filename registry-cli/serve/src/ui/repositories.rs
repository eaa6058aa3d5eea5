//! `/`: the repositories that the caller may pull from.

use super::address::Address;
use super::html::{Html, html};
use super::list::{filter, listed};
use super::shell;
use super::view::View;
use crate::name::Name;
use crate::problem::Problem;

pub(super) fn page(view: &View) -> Result<Option<Html>, Problem> {
    let mut names = view.store.repositories()?;
    names.retain(|name| view.may_pull(name));
    let any = !names.is_empty();
    let listed = listed(view, names, Name::as_str);

    let mut content = Html::default();
    html!(content; "<h1>Repositories</h1>\n");
    if any {
        html!(content;
            [filter(view, &Address::Repositories, "Part of a name")]
            "<p>" (listed.total) (if listed.total == 1 { " repository" } else { " repositories" }) "</p>\n"
        );
    } else {
        html!(content;
            "<p>There is nothing here that you may pull. Push an image:</p>\n"
            "<p class=\"command\"><code data-copy>docker push " (view.host) "/app:v1</code></p>\n"
        );
    }
    if !listed.entries.is_empty() {
        html!(content;
            "<table class=\"fold\">\n<thead><tr><th scope=\"col\">Name</th>"
            "<th scope=\"col\" class=\"number\">Tags</th></tr></thead>\n<tbody>\n"
        );
        for name in &listed.entries {
            let tags = view.store.tags(name)?.map_or(0, |tags| tags.len());
            html!(content;
                "<tr><th scope=\"row\"><a href=\"" (Address::Repository(name.clone())) "\">" (name)
                "</a></th><td class=\"number\" data-label=\"Tags\">" (tags) "</td></tr>\n"
            );
        }
        html!(content; "</tbody>\n</table>\n");
    }
    html!(content; [listed.links(view, &Address::Repositories, "repositories")]);
    let title = format!("Repositories · {}", view.host);
    Ok(Some(shell::page(&title, &[], &content)))
}
