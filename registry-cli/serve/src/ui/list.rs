//! Long lists, a page at a time, with a filter.

use url::form_urlencoded::Serializer;

use super::address::Address;
use super::html::{Html, html};
use super::view::View;

/// The part of a sorted list that a page shows.
#[derive(Debug)]
pub(super) struct Listed<T> {
    pub(super) entries: Vec<T>,
    /// How many pass the filter, on all pages together.
    pub(super) total: usize,
    /// Where the next page begins: after this key.
    next: Option<String>,
}

/// The entries of `all` whose key has `?q=` in it, after `?last=`. `all` is sorted by its keys'
/// bytes.
pub(super) fn listed<T>(view: &View, mut all: Vec<T>, key: impl Fn(&T) -> &str) -> Listed<T> {
    if let Some(wanted) = view.parameter("q") {
        all.retain(|entry| key(entry).contains(wanted));
    }
    let total = all.len();
    let start = match view.parameter("last") {
        Some(last) => all.partition_point(|entry| key(entry) <= last),
        None => 0,
    };
    let mut entries = all.split_off(start);
    let more = entries.len() > view.entries;
    entries.truncate(view.entries);
    let next = entries.last().filter(|_| more).map(|entry| key(entry).to_owned());
    Listed { entries, total, next }
}

impl<T> Listed<T> {
    /// Links to the first and the next page, where there are any.
    pub(super) fn links(&self, view: &View, address: &Address, what: &str) -> Html {
        let mut links = Html::default();
        if self.next.is_none() && view.parameter("last").is_none() {
            return links;
        }
        html!(links; "<nav class=\"pages\" aria-label=\"Pages of " (what) "\">\n");
        if view.parameter("last").is_some() {
            html!(links;
                "<a href=\"" (address) (query(view, None)) "\">First page</a>\n"
            );
        }
        if let Some(next) = &self.next {
            html!(links;
                "<a href=\"" (address) (query(view, Some(next))) "\" rel=\"next\">Next page</a>\n"
            );
        }
        html!(links; "</nav>\n");
        links
    }
}

/// A form that sets `?q=`.
pub(super) fn filter(view: &View, address: &Address, label: &str) -> Html {
    let mut form = Html::default();
    html!(form;
        "<form role=\"search\" action=\"" (address) "\">\n"
        "<label for=\"q\">" (label) "</label>\n"
        "<input id=\"q\" name=\"q\" type=\"search\" autocomplete=\"off\" value=\""
        (view.parameter("q").unwrap_or_default()) "\">\n<button>Filter</button>\n</form>\n"
    );
    form
}

fn query(view: &View, last: Option<&str>) -> String {
    let pairs = [("q", view.parameter("q")), ("last", last)];
    let pairs = pairs.into_iter().filter_map(|(key, value)| Some((key, value?)));
    let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
    if query.is_empty() { query } else { format!("?{query}") }
}
