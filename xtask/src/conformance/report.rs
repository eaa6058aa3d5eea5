//! Verdicts: on the terminal as they come, and in two files at the end.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

/// What came of one scenario.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    /// `registry` or `client`.
    pub(crate) side: &'static str,
    /// Who was judged: `registry-serve`, `crane`, a URL.
    pub(crate) subject: String,
    pub(crate) name: String,
    /// Identifiers of the catalogue of faults, or the specification's endpoints.
    pub(crate) ids: Vec<String>,
    pub(crate) title: String,
    #[serde(flatten)]
    pub(crate) verdict: Verdict,
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub(crate) time: Duration,
    /// What went over the wire, if it failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) transcript: Vec<String>,
}

impl Row {
    /// Judged in no time, with nothing to show.
    pub(crate) fn new(
        side: &'static str,
        subject: &str,
        name: &str,
        ids: &[&str],
        title: &str,
        verdict: Verdict,
    ) -> Self {
        Self {
            side,
            subject: subject.to_owned(),
            name: name.to_owned(),
            ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            title: title.to_owned(),
            verdict,
            time: Duration::ZERO,
            transcript: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", content = "reasons", rename_all = "lowercase")]
pub(crate) enum Verdict {
    Passed,
    Failed(Vec<String>),
    /// The subject does not offer it, and need not.
    Skipped(String),
}

/// All verdicts.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
}

impl Report {
    /// Says what is judged now.
    pub(crate) fn begin(side: &str, subject: &str) {
        println!("\n{side} side: {subject}");
    }

    /// Keeps a verdict, and prints it.
    pub(crate) fn add(&mut self, row: Row, with_transcript: bool) {
        let Row { name, ids, title, time, .. } = &row;
        let time = format!("{:.1} s", time.as_secs_f64());
        let word = match &row.verdict {
            Verdict::Passed => "pass",
            Verdict::Failed(_) => "FAIL",
            Verdict::Skipped(_) => "skip",
        };
        println!("{word}  {:8}  {time:>6}  {name}: {title}", ids.join(","));
        match &row.verdict {
            Verdict::Passed => {}
            Verdict::Failed(reasons) => {
                for reason in reasons {
                    println!("      {reason}");
                }
            }
            Verdict::Skipped(reason) => println!("      {reason}"),
        }
        if with_transcript {
            for line in &row.transcript {
                println!("      | {line}");
            }
        }
        self.rows.push(row);
    }

    pub(crate) fn failed(&self) -> usize {
        self.rows.iter().filter(|row| matches!(row.verdict, Verdict::Failed(_))).count()
    }

    /// One line a subject.
    pub(crate) fn summary(&self) -> String {
        let mut subjects: Vec<_> = self.rows.iter().map(|row| (row.side, &row.subject)).collect();
        subjects.dedup();
        let line = |(side, subject): (&str, &String)| {
            let rows = self.rows.iter().filter(|row| row.side == side && row.subject == *subject);
            let (mut passed, mut failed, mut skipped) = (0, 0, 0);
            for row in rows {
                match row.verdict {
                    Verdict::Passed => passed += 1,
                    Verdict::Failed(_) => failed += 1,
                    Verdict::Skipped(_) => skipped += 1,
                }
            }
            format!("{side} side, {subject}: {passed} passed, {failed} failed, {skipped} skipped")
        };
        subjects.into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Writes `results.json` and `junit.xml`.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let mut json = serde_json::to_string_pretty(self)?;
        json.push('\n');
        fs::write(folder.join("results.json"), json)?;
        fs::write(folder.join("junit.xml"), self.junit())
    }

    fn junit(&self) -> String {
        let mut cases = Vec::new();
        for row in &self.rows {
            let outcome = match &row.verdict {
                Verdict::Passed => String::new(),
                Verdict::Failed(reasons) => {
                    format!("<failure message=\"{}\"/>", escape(&reasons.join("; ")))
                }
                Verdict::Skipped(reason) => format!("<skipped message=\"{}\"/>", escape(reason)),
            };
            let class = escape(&format!("{}.{}", row.side, row.subject));
            let seconds = row.time.as_secs_f64();
            cases.push(format!(
                "    <testcase classname=\"{class}\" name=\"{}\" time=\"{seconds:.3}\">{outcome}</testcase>\n",
                escape(&row.name),
            ));
        }
        let count = |wanted: fn(&Verdict) -> bool| {
            self.rows.iter().filter(|row| wanted(&row.verdict)).count()
        };
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  \
             <testsuite name=\"conformance\" tests=\"{}\" failures=\"{}\" skipped=\"{}\">\n\
             {}  </testsuite>\n</testsuites>\n",
            self.rows.len(),
            self.failed(),
            count(|verdict| matches!(verdict, Verdict::Skipped(_))),
            cases.concat(),
        )
    }
}

fn seconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

/// Text as XML takes it: markup escaped, and control characters, which XML 1.0 cannot hold, replaced.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other if other.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, verdict: Verdict) -> Row {
        let time = Duration::from_millis(1500);
        Row { time, ..Row::new("client", "crane", name, &["D01"], "a title", verdict) }
    }

    #[test]
    fn both_files_tell_the_same_story() {
        let report = Report {
            rows: vec![
                row("good", Verdict::Passed),
                row("bad", Verdict::Failed(vec!["<a & \"b\">\u{1b}[2J".into()])),
                row("left-out", Verdict::Skipped("why".into())),
            ],
        };
        let folder = tempfile::tempdir().unwrap();
        report.write(folder.path()).unwrap();
        let json = fs::read(folder.path().join("results.json")).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(json["rows"][0]["verdict"], "passed");
        assert_eq!(json["rows"][1]["reasons"][0], "<a & \"b\">\u{1b}[2J");

        let junit = fs::read_to_string(folder.path().join("junit.xml")).unwrap();
        assert!(junit.contains("tests=\"3\" failures=\"1\" skipped=\"1\""), "{junit}");
        assert!(junit.contains("message=\"&lt;a &amp; &quot;b&quot;&gt;\u{fffd}[2J\""), "{junit}");
        assert_eq!(report.failed(), 1);
        assert_eq!(report.summary(), "client side, crane: 1 passed, 1 failed, 1 skipped");
    }
}
