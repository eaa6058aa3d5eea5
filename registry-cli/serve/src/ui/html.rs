//! HTML that cannot be injected into: markup is literal, everything else is escaped.

use std::fmt::{self, Display, Write as _};

/// A page or a part of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Html(String);

impl Html {
    /// Our own markup. Only what stands in this program can be `'static`.
    pub(super) fn markup(&mut self, markup: &'static str) {
        self.0.push_str(markup);
    }

    /// Text from anywhere, for an element's content or an attribute's value in double quotes.
    pub(super) fn text(&mut self, text: &(impl Display + ?Sized)) {
        // Writing into a string does not fail; a `Display` that does leaves its text cut short.
        let _ = write!(Escaped(&mut self.0), "{text}");
    }

    /// A part that was made already.
    pub(super) fn part(&mut self, part: &Self) {
        self.0.push_str(&part.0);
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }

    #[cfg(test)]
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Appends to an [`Html`]: a literal is markup, `(value)` is text that is escaped, `[part]` is
/// another [`Html`].
macro_rules! html {
    ($to:expr; $($piece:tt)*) => {{
        let to: &mut $crate::ui::html::Html = &mut $to;
        $( $crate::ui::html::piece!(to, $piece); )*
    }};
}

macro_rules! piece {
    ($to:ident, $markup:literal) => {
        $to.markup($markup)
    };
    ($to:ident, ($text:expr)) => {
        $to.text(&$text)
    };
    ($to:ident, [$part:expr]) => {
        $to.part(&$part)
    };
}

pub(super) use {html, piece};

/// Escapes all that is written to it.
struct Escaped<'a>(&'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                hidden if is_hidden(hidden) => write!(self.0, "\\u{{{:x}}}", u32::from(hidden))?,
                plain => self.0.push(plain),
            }
        }
        Ok(())
    }
}

/// Control characters, and those that turn the direction of text or have no width: they make a page
/// look like it says something else, so they are shown by number.
fn is_hidden(character: char) -> bool {
    (character.is_control() && !matches!(character, '\n' | '\t'))
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_literals_is_escaped() {
        let mut page = Html::default();
        let hostile = "\"'><script>alert(1)</script>&amp;";
        html!(page; "<a title=\"" (hostile) "\">" (hostile) "</a>");
        let escaped = "&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;";
        assert_eq!(page.as_str(), format!("<a title=\"{escaped}\">{escaped}</a>"));
    }

    #[test]
    fn a_part_is_not_escaped_again() {
        let (mut page, mut part) = (Html::default(), Html::default());
        html!(part; "<b>" ("<") "</b>");
        html!(page; "<p>" [part] "</p>");
        assert_eq!(page.as_str(), "<p><b>&lt;</b></p>");
    }

    #[test]
    fn characters_that_hide_or_turn_text_are_shown_by_number() {
        let mut page = Html::default();
        page.text("a\u{202e}b\0c\u{1b}[31m\u{200b}d\n\te é 漢 🦀");
        assert_eq!(page.as_str(), "a\\u{202e}b\\u{0}c\\u{1b}[31m\\u{200b}d\n\te é 漢 🦀");
    }
}
