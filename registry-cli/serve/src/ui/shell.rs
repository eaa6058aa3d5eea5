//! What every page has around its content.

use http::StatusCode;

use super::address::Address;
use super::html::{Html, html};

/// A page: its title, the way to it from `/`, and its content, which begins with the `h1`.
pub(super) fn page(title: &str, trail: &[(&str, Option<Address>)], content: &Html) -> Html {
    let mut page = Html::default();
    html!(page;
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n"
        "<title>" (title) "</title>\n"
        "<link rel=\"icon\" href=\"/ui/icon.svg\" type=\"image/svg+xml\">\n"
        "<link rel=\"stylesheet\" href=\"/ui/style.css\">\n"
        "<script src=\"/ui/copy.js\" defer></script>\n</head>\n<body>\n"
        "<a class=\"skip\" href=\"#content\">Skip to content</a>\n"
        "<header>\n<nav aria-label=\"Breadcrumb\">\n<ol>\n"
        [crumbs(trail)]
        "</ol>\n</nav>\n</header>\n<main id=\"content\" tabindex=\"-1\">\n"
        [content]
        "</main>\n<footer><p>registry-serve " (env!("CARGO_PKG_VERSION")) "</p>\n"
        "<p id=\"status\" role=\"status\" class=\"unseen\"></p></footer>\n</body>\n</html>\n"
    );
    page
}

/// A page about why there is no other.
pub(super) fn refusal(status: StatusCode) -> Html {
    let (title, text) = match status {
        StatusCode::UNAUTHORIZED => (
            "Sign in",
            "This registry asks for a user name and a password. Reload the page to be asked again. \
             They are those that you use with docker login.",
        ),
        StatusCode::FORBIDDEN => (
            "Not allowed",
            "This user may not see what is here. The page of a repository may still open, at /ui/r/NAME.",
        ),
        StatusCode::NOT_FOUND => (
            "Not found",
            "There is no such page, repository, tag or manifest in this registry; it may have been \
             deleted.",
        ),
        StatusCode::METHOD_NOT_ALLOWED => ("Only for reading", "Pages can be read, nothing else."),
        StatusCode::BAD_REQUEST => ("Not understood", "The address of this page has a fault."),
        StatusCode::TOO_MANY_REQUESTS => {
            ("Too many requests", "The registry asks you to wait a moment, and to reload the page.")
        }
        _ => ("It did not work", "The registry could not make this page. Its log says why."),
    };
    let mut content = Html::default();
    html!(content;
        "<h1>" (title) "</h1>\n<p>" (text) "</p>\n"
        "<p><a href=\"/\">All repositories</a></p>\n"
    );
    page(title, &[(title, None)], &content)
}

/// The first leads to `/` always; the last is where the reader is.
fn crumbs(trail: &[(&str, Option<Address>)]) -> Html {
    let mut crumbs = Html::default();
    if trail.is_empty() {
        html!(crumbs; "<li><a href=\"/\" aria-current=\"page\">Registry</a></li>\n");
    } else {
        html!(crumbs; "<li><a href=\"/\">Registry</a></li>\n");
    }
    for (text, address) in trail {
        if let Some(address) = address {
            html!(crumbs; "<li><a href=\"" (address) "\">" (text) "</a></li>\n");
        } else {
            html!(crumbs; "<li aria-current=\"page\">" (text) "</li>\n");
        }
    }
    crumbs
}
