//! Counters, in the text format of Prometheus (version 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use http::Method;

use crate::request_log::RequestRecord;

/// What was counted since the start.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// Bounded: methods that are unknown here count as one.
    requests: Mutex<BTreeMap<(&'static str, u16), u64>>,
    microseconds: AtomicU64,
    bytes: AtomicU64,
}

/// What is there at this moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gauges {
    pub(crate) connections: usize,
    pub(crate) uploads: usize,
}

impl Metrics {
    pub(crate) fn count(&self, record: &RequestRecord) {
        let key = (label(&record.method), record.status.as_u16());
        *self.requests.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default() += 1;
        let microseconds = u64::try_from(record.elapsed.as_micros()).unwrap_or(u64::MAX);
        self.microseconds.fetch_add(microseconds, Ordering::Relaxed);
        self.bytes.fetch_add(record.bytes.unwrap_or_default(), Ordering::Relaxed);
    }

    pub(crate) fn text(&self, gauges: Gauges) -> String {
        let mut text = String::new();
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let _ = family(&mut text, "registry_requests_total", "counter", "Requests answered.");
        for ((method, code), count) in &requests {
            let labels = format!("method=\"{method}\",code=\"{code}\"");
            let _ = writeln!(text, "registry_requests_total{{{labels}}} {count}");
        }
        let micros = self.microseconds.load(Ordering::Relaxed);
        let seconds = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        let total: u64 = requests.values().sum();
        for (name, kind, help, value) in [
            (
                "registry_response_bytes_total",
                "counter",
                "Bytes announced in answers.",
                self.bytes.load(Ordering::Relaxed).to_string(),
            ),
            (
                "registry_connections",
                "gauge",
                "Connections that are open.",
                gauges.connections.to_string(),
            ),
            (
                "registry_uploads",
                "gauge",
                "Upload sessions that are open.",
                gauges.uploads.to_string(),
            ),
        ] {
            let _ = family(&mut text, name, kind, help);
            let _ = writeln!(text, "{name} {value}");
        }
        let name = "registry_request_seconds";
        let _ = family(&mut text, name, "summary", "From a request's head to its answer's head.");
        let _ = writeln!(text, "{name}_sum {seconds}\n{name}_count {total}");
        text
    }
}

fn family(text: &mut String, name: &str, kind: &str, help: &str) -> std::fmt::Result {
    writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}
