//! Text that a server chose, made safe for a terminal, a log line or an error message.

use std::fmt::Write as _;

/// Escapes what could move a cursor, colour a terminal or reorder a line, and cuts at `max` characters.
///
/// Control characters (C0, C1, DEL) and the bidirectional and zero-width marks become `\u{…}`; tab and line breaks
/// become `\t`, `\r` and `\n`, so that a message stays on one line.
pub(crate) fn sanitise(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max));
    for (count, c) in text.trim().chars().enumerate() {
        if count == max {
            out.push('…');
            break;
        }
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_unsafe(c) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{200b}'..='\u{200f}' // zero-width, left-to-right and right-to-left marks
            | '\u{2028}'..='\u{202e}' // line and paragraph separators, embeddings and overrides
            | '\u{2060}'..='\u{206f}' // word joiner, isolates
            | '\u{061c}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::sanitise;

    #[test]
    fn a_terminal_sees_no_escape_sequence_and_no_bidirectional_mark() {
        for (text, want) in [
            ("plain", "plain"),
            ("\u{1b}[31mred\u{1b}[0m", "\\u{1b}[31mred\\u{1b}[0m"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("two\nlines\r\n", "two\\nlines"),
            ("a\tb", "a\\tb"),
            ("abc\u{202e}txt.exe", "abc\\u{202e}txt.exe"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("é 漢字 ok", "é 漢字 ok"),
        ] {
            assert_eq!(sanitise(text, 100), want, "{text:?}");
        }
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        assert_eq!(sanitise("ééééé", 3), "ééé…");
        assert_eq!(sanitise("ééé", 3), "ééé");
    }
}
