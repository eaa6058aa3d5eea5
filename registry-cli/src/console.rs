//! The two streams of a command: standard output takes data, standard error takes talk.

use std::{
    fmt::Write as _,
    io::{self, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Both streams. Clones write to the same ones.
#[derive(Clone)]
pub(crate) struct Console(Arc<Mutex<Streams>>);

struct Streams {
    stdout: Box<dyn Write + Send>,
    stderr: Box<dyn Write + Send>,
    /// Whether the last line of standard error will be replaced.
    status: bool,
}

impl Console {
    pub(crate) fn new(stdout: Box<dyn Write + Send>, stderr: Box<dyn Write + Send>) -> Self {
        Self(Arc::new(Mutex::new(Streams { stdout, stderr, status: false })))
    }

    /// Writes data, and pushes it out: whoever reads it may act on it at once.
    pub(crate) fn data(&self, bytes: &[u8]) -> io::Result<()> {
        let mut streams = self.streams();
        streams.clear();
        streams.stdout.write_all(bytes)?;
        streams.stdout.flush()
    }

    /// Says a line. That nobody can hear it is no reason to stop.
    pub(crate) fn say(&self, line: &str) {
        let mut streams = self.streams();
        streams.clear();
        let _ = writeln!(streams.stderr, "{line}");
    }

    /// Shows a line that the next one replaces; only for a terminal.
    pub(crate) fn status(&self, line: &str) {
        let mut streams = self.streams();
        let _ = write!(streams.stderr, "\r\x1b[2K{line}");
        let _ = streams.stderr.flush();
        streams.status = true;
    }

    /// Says the last lines. What tasks that are still ending would say is not heard any more.
    pub(crate) fn end<L: AsRef<str>>(&self, lines: impl IntoIterator<Item = L>) {
        lines.into_iter().for_each(|line| self.say(line.as_ref()));
        self.streams().stderr = Box::new(io::sink());
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Streams {
    fn clear(&mut self) {
        if std::mem::take(&mut self.status) {
            let _ = write!(self.stderr, "\r\x1b[2K");
        }
    }
}

/// Talk that comes in pieces, as logging writes it.
impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut streams = self.streams();
        streams.clear();
        streams.stderr.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.streams().stderr.flush()
    }
}

/// Text that somebody else may have chosen, without what could move a cursor, colour a terminal,
/// reorder a line or break it.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if c.is_control() || is_invisible(c) => {
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
            }
            c => shown.push(c),
        }
    }
    shown
}

/// Zero-width and bidirectional marks, line and paragraph separators.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{61c}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::Captured;

    #[test]
    fn a_status_line_is_replaced_by_whatever_comes_next() {
        let captured = Captured::default();
        let console = Console::new(captured.out(), captured.err());
        console.status("10 %");
        console.status("20 %");
        console.say("waiting");
        console.say("done");
        assert_eq!(captured.stderr(), "\r\x1b[2K10 %\r\x1b[2K20 %\r\x1b[2Kwaiting\ndone\n");
        console.data(b"sha256:abc\n").unwrap();
        assert_eq!(captured.stdout(), b"sha256:abc\n");
    }

    #[test]
    fn nothing_is_said_after_the_end() {
        let captured = Captured::default();
        let console = Console::new(captured.out(), captured.err());
        console.status("10 %");
        console.end(["error: interrupted"]);
        console.say("going on in 0.5 s");
        console.status("20 %");
        assert_eq!(captured.stderr(), "\r\x1b[2K10 %\r\x1b[2Kerror: interrupted\n");
    }

    #[test]
    fn text_of_others_cannot_steer_a_terminal() {
        for (text, shown) in [
            ("plain é 漢字", "plain é 漢字"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("abc\u{202e}txt", "abc\\u{202e}txt"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }
}
