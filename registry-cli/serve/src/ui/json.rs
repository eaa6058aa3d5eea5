//! JSON for reading: indented, and otherwise as it is stored.

use super::html::{Html, html};

/// Bytes that are shown at most.
const SHOWN: usize = 32 << 10;

/// A section that can be unfolded; `link` leads to all of it.
pub(super) fn section(title: &str, bytes: &[u8], link: &impl std::fmt::Display) -> Html {
    let (text, whole) = indented(&String::from_utf8_lossy(bytes), SHOWN);
    let mut html = Html::default();
    html!(html;
        "<details>\n<summary>" (title) "</summary>\n<pre tabindex=\"0\" role=\"region\" aria-label=\""
        (title) "\">" (text) "</pre>\n"
        (if whole { "" } else { "This is only the beginning. " })
        "<a href=\"" (link) "\">" (title) " as it is stored</a>\n</details>\n"
    );
    html
}

/// JSON with line breaks and indents, and whether that is all of it. Neither the order of keys nor
/// the digits of numbers change, so it is not parsed: what is no JSON comes out readable enough.
fn indented(json: &str, limit: usize) -> (String, bool) {
    let mut text = String::new();
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let line = |text: &mut String, depth: usize| {
        text.push('\n');
        // Deep nesting must not make a page of blanks.
        text.extend(std::iter::repeat_n("  ", depth.min(20)));
    };
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        if text.len() >= limit {
            return (text, false);
        }
        if in_string {
            text.push(character);
            in_string = escaped || character != '"';
            escaped = character == '\\' && !escaped;
            continue;
        }
        match character {
            '{' | '[' => {
                text.push(character);
                while characters.next_if(char::is_ascii_whitespace).is_some() {}
                let close = if character == '{' { '}' } else { ']' };
                if characters.next_if_eq(&close).is_some() {
                    text.push(close);
                } else {
                    depth += 1;
                    line(&mut text, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut text, depth);
                text.push(character);
            }
            ',' => {
                text.push(',');
                line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            blank if blank.is_ascii_whitespace() => {}
            other => {
                in_string = other == '"';
                text.push(other);
            }
        }
    }
    (text, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_and_not_changed() {
        let json = r#"{"b":[1.50,{}, [ ]],"a":"x,\"{:}\\"}"#;
        let expected =
            "{\n  \"b\": [\n    1.50,\n    {},\n    []\n  ],\n  \"a\": \"x,\\\"{:}\\\\\"\n}";
        assert_eq!(indented(json, SHOWN), (expected.to_owned(), true));
        assert_eq!(indented(expected, SHOWN), (expected.to_owned(), true));
    }

    #[test]
    fn much_json_is_cut() {
        let (text, whole) = indented(&"[".repeat(1 << 20), SHOWN);
        assert!(text.len() < SHOWN + 64 && !whole, "{}", text.len());
        assert_eq!(indented("]]}", SHOWN), ("\n]\n]\n}".to_owned(), true));
    }
}
