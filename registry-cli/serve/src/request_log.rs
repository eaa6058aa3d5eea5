//! Requests that were answered: for a log, and for tests that count them.

use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{Method, StatusCode};
use serde_json::json;

/// A request that was answered. It holds no header and no body, and of `/token` no query, so no
/// secret either.
///
/// As text it is one line of a log; [`RequestRecord::json`] is the same for machines.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestRecord {
    /// When its head had arrived.
    pub time: SystemTime,
    /// Who sent it.
    pub client: IpAddr,
    /// `GET`
    pub method: Method,
    /// Path and query: `/v2/app/tags/list?n=5`
    pub target: String,
    /// `200`
    pub status: StatusCode,
    /// How long the answer's body is, if that was known when it began.
    pub bytes: Option<u64>,
    /// From its head to the head of the answer, with all of its own body between them.
    pub elapsed: Duration,
}

impl RequestRecord {
    /// One JSON document, on one line.
    pub fn json(&self) -> String {
        json!({
            "time": timestamp(self.time),
            "client": self.client.to_string(),
            "method": self.method.as_str(),
            "target": self.target,
            "status": self.status.as_u16(),
            "bytes": self.bytes,
            "seconds": self.elapsed.as_secs_f64(),
        })
        .to_string()
    }
}

impl fmt::Display for RequestRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (time, client) = (timestamp(self.time), self.client);
        let (method, status) = (&self.method, self.status.as_u16());
        let target = self.target.escape_debug();
        write!(f, "{time} {client} {method} {target} {status} ")?;
        match self.bytes {
            Some(bytes) => write!(f, "{bytes}B")?,
            None => write!(f, "-")?,
        }
        write!(f, " {}ms", self.elapsed.as_millis())
    }
}

/// Where records go.
#[derive(Clone)]
pub(crate) struct Sink(pub(crate) Arc<dyn Fn(&RequestRecord) + Send + Sync>);

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sink")
    }
}

#[derive(Debug)]
pub(crate) struct RequestLog {
    at_most: usize,
    records: Mutex<VecDeque<RequestRecord>>,
}

impl RequestLog {
    pub(crate) fn new(at_most: usize) -> Self {
        Self { at_most, records: Mutex::default() }
    }

    pub(crate) fn add(&self, record: RequestRecord) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.push_back(record);
        if records.len() > self.at_most {
            records.pop_front();
        }
    }

    pub(crate) fn all(&self) -> Vec<RequestRecord> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.iter().cloned().collect()
    }
}

/// RFC 3339, in UTC, with milliseconds. A clock before 1970 is shown as 1970.
fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, milliseconds) = (since.as_secs(), since.subsec_millis());
    let (mut days, of_day) = (seconds / 86_400, seconds % 86_400);
    // Years from March, in eras of 400 of them: leap days come last.
    days += 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * day + 2) / 153;
    let day = day - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64, milliseconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_millis(milliseconds)
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, milliseconds, text) in [
            (0, 0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, 7, "2000-02-29T00:00:00.007Z"),
            (951_868_800, 0, "2000-03-01T00:00:00.000Z"),
            (1_709_251_199, 999, "2024-02-29T23:59:59.999Z"),
            (1_735_689_599, 0, "2024-12-31T23:59:59.000Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(timestamp(at(seconds, milliseconds)), text);
        }
    }

    #[test]
    fn a_record_is_one_line() {
        let record = RequestRecord {
            time: at(0, 1),
            client: [127, 0, 0, 1].into(),
            method: Method::GET,
            target: "/v2/\u{1b}[2J\n".to_owned(),
            status: StatusCode::NOT_FOUND,
            bytes: Some(7),
            elapsed: Duration::from_millis(1500),
        };
        let line = "1970-01-01T00:00:00.001Z 127.0.0.1 GET /v2/\\u{1b}[2J\\n 404 7B 1500ms";
        assert_eq!(record.to_string(), line);
        let document: serde_json::Value = serde_json::from_str(&record.json()).expect("a document");
        assert_eq!(document["target"], record.target.as_str());
        assert_eq!((&document["status"], &document["seconds"]), (&json!(404), &json!(1.5)));
        assert!(!record.json().contains('\n'));
    }
}
