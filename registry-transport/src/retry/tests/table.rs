//! What every failure leads to, as one text file that is read like the policy it has to equal
//! (E05, E07; network-policy.md, sections 4.2, 4.3 and 4.5).
//!
//! When the table is meant to change, the test's message is its new text.

use std::fmt::Write as _;

use http::Method;

use super::*;
use crate::follow::{Turn, turn};
use crate::request::is_expected;
use crate::transport::wants_reason;

const TABLE: &str = include_str!("table.txt");

/// A request, by what decides about it.
type Column = (Method, Replay);

/// One line of a table: its name, and a cell for each column.
type Row = (String, Vec<String>);

#[test]
fn e07_every_failure_has_its_place_in_the_table() {
    let table = table();
    assert!(table == TABLE, "the table is not what the code does any more:\n{table}");
}

fn table() -> String {
    let mut text = String::from(
        "What a failure leads to, when it happens again and again: `again N` is N more attempts at\n\
         most, with a wait before each one; `at once` is free; `stop` is the end.\n\n",
    );
    let columns = columns();
    let rows = (100..600).map(|status| {
        let cells = columns.iter().map(|column| of_status(status, column)).collect();
        (status.to_string(), cells)
    });
    section(&mut text, "The status of the answer", &columns, &grouped(rows.collect()));

    let rows = KINDS.map(|(kind, name)| {
        let class = class_of_transport(kind);
        let cells = columns.iter().map(|(_, replay)| persistent(class, *replay)).collect();
        (name.to_owned(), cells)
    });
    let late = columns.iter().map(|(_, replay)| persistent(Class::Unknown, *replay)).collect();
    let rows = rows.into_iter().chain([("no answer in time".to_owned(), late)]);
    section(&mut text, "No answer", &columns, &rows.collect::<Vec<_>>());

    let rows = ErrorCode::KNOWN.iter().map(|code| (code.to_string(), of_code(code)));
    text.push_str("\nA code in the answer refines its status, for a GET\n\n");
    let heads = CODED.map(|status| status.to_string()).to_vec();
    aligned(&mut text, &heads, &grouped(rows.collect()));
    text
}

const KINDS: [(HttpErrorKind, &str); 15] = [
    (HttpErrorKind::NoSuchHost, "not sent: no such host"),
    (HttpErrorKind::Resolve, "not sent: the resolver failed"),
    (HttpErrorKind::ConnectionRefused, "not sent: refused"),
    (HttpErrorKind::Connect, "not sent: no connection"),
    (HttpErrorKind::Tls, "not sent: TLS"),
    (HttpErrorKind::PrivateAddress, "not sent: private address"),
    (HttpErrorKind::Proxy, "not sent: proxy"),
    (HttpErrorKind::Unsupported, "not sent: unsupported"),
    (HttpErrorKind::RequestBody, "our body failed"),
    (HttpErrorKind::Unprocessed, "not processed"),
    (HttpErrorKind::Http1Required, "not over HTTP/2"),
    (HttpErrorKind::Throttled, "reset: too many requests"),
    (HttpErrorKind::NoAnswer, "sent, and no answer"),
    (HttpErrorKind::Interrupted, "the answer broke off"),
    (HttpErrorKind::Protocol, "no HTTP"),
];

const CODED: [u16; 6] = [400, 403, 404, 429, 500, 503];

fn columns() -> Vec<Column> {
    let reads = [Method::GET, Method::HEAD];
    let writes = [Method::PUT, Method::POST, Method::PATCH, Method::DELETE];
    let all = |replay| writes.clone().map(|method| (method, replay));
    let reads = reads.map(|method| (method.clone(), Replay::of(&method)));
    let as_they_are = writes.clone().map(|method| (method.clone(), Replay::of(&method)));
    [&reads[..], &as_they_are, &all(Replay::Twice), &all(Replay::Safe)].concat()
}

fn of_status(status: u16, (method, replay): &Column) -> String {
    let code = StatusCode::from_u16(status).unwrap();
    if is_expected(&[], code) {
        return "answer".to_owned();
    }
    match turn(method, code) {
        Turn::Follow => return "follow".to_owned(),
        Turn::Back => return "stop: not as GET".to_owned(),
        Turn::Stay => {}
    }
    let fate = persistent(class_of_status(code, &[], false), *replay);
    match status {
        401 => "authenticate".to_owned(),
        421 if fate != "stop" => format!("{fate}, reconnect"),
        _ if wants_reason(Some(method), Some(code)) => format!("{fate}: GET says why"),
        _ => fate,
    }
}

fn of_code(code: &ErrorCode) -> Vec<String> {
    let diagnostic = Diagnostic { code: code.clone(), message: String::new(), detail: None };
    let cell = |status: u16| {
        let status = StatusCode::from_u16(status).unwrap();
        let class = class_of_status(status, std::slice::from_ref(&diagnostic), false);
        persistent(class, Replay::Safe)
    };
    CODED.map(cell).to_vec()
}

/// What a failure that does not go away leads to.
fn persistent(class: Class, replay: Replay) -> String {
    let mut spent = Spent::default();
    loop {
        let next = next(&RetryPolicy::default(), class, replay, None, &spent, 1.0);
        match next {
            Next::Free | Next::After(_) => spent.charge(class, next),
            Next::Later(_) | Next::Stop => break,
        }
        assert!(spent.retries + spent.free < 100, "{class:?} never ends");
    }
    match (spent.free, spent.retries, class) {
        (0, 0, _) => "stop".to_owned(),
        (0, n, class) if class.is_throttled() => format!("again {n}, slowly"),
        (0, n, Class::Refused) => format!("again {n}, quickly"),
        (0, n, _) => format!("again {n}"),
        (_, 0, _) => "at once".to_owned(),
        (_, n, _) => format!("at once, {n} more"),
    }
}

/// Rows of equal cells as one, under the names of all of them.
fn grouped(rows: Vec<Row>) -> Vec<Row> {
    let mut groups: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for (name, cells) in rows {
        match groups.iter_mut().find(|(_, other)| *other == cells) {
            Some((names, _)) => names.push(name),
            None => groups.push((vec![name], cells)),
        }
    }
    groups.into_iter().map(|(names, cells)| (ranges(&names), cells)).collect()
}

/// `300 304-306 309`, and names that are no numbers as they are.
fn ranges(names: &[String]) -> String {
    let mut spans: Vec<(String, String)> = Vec::new();
    for name in names {
        let number = name.parse::<u32>().ok();
        match spans.last_mut() {
            Some((_, last)) if number.is_some_and(|n| last.parse() == Ok(n - 1)) => {
                last.clone_from(name);
            }
            _ => spans.push((name.clone(), name.clone())),
        }
    }
    let span = |(first, last): &(String, String)| {
        if first == last { first.clone() } else { format!("{first}-{last}") }
    };
    spans.iter().map(span).collect::<Vec<_>>().join(" ")
}

/// A table in which equal columns are one.
fn section(text: &mut String, title: &str, columns: &[Column], rows: &[Row]) {
    let column = |at: usize| rows.iter().map(|(_, cells)| cells[at].clone()).collect::<Vec<_>>();
    let mut kept: Vec<(usize, Vec<String>)> = Vec::new();
    for (at, (method, replay)) in columns.iter().enumerate() {
        let name = match replay {
            _ if *replay == Replay::of(method) => method.to_string(),
            Replay::Unsent => format!("{method}/unsent"),
            Replay::Twice => format!("{method}/twice"),
            Replay::Safe => format!("{method}/safe"),
        };
        match kept.iter_mut().find(|(other, _)| column(*other) == column(at)) {
            Some((_, names)) => names.push(name),
            None => kept.push((at, vec![name])),
        }
    }
    writeln!(text, "\n{title}\n").unwrap();
    for (n, (_, names)) in kept.iter().enumerate() {
        writeln!(text, "  ({})  {}", n + 1, names.join(" ")).unwrap();
    }
    text.push('\n');
    let heads: Vec<_> = (1..=kept.len()).map(|n| format!("({n})")).collect();
    let pick = |cells: &[String]| kept.iter().map(|(at, _)| cells[*at].clone()).collect();
    let rows: Vec<Row> = rows.iter().map(|(name, cells)| (name.clone(), pick(cells))).collect();
    aligned(text, &heads, &rows);
}

fn aligned(text: &mut String, heads: &[String], rows: &[Row]) {
    let line = |text: &mut String, name: &str, cells: &[String]| {
        let mut line = format!("{name:<32}");
        if name.len() > 30 {
            // A long name has a line of its own.
            line = format!("{name}\n{:32}", "");
        }
        for cell in cells {
            write!(line, "{cell:<22}").unwrap();
        }
        writeln!(text, "{}", line.trim_end()).unwrap();
    };
    line(text, "", heads);
    for (name, cells) in rows {
        line(text, name, cells);
    }
}
