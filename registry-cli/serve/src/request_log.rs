//! The last requests, for tests that count them.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use http::{Method, StatusCode};

/// A request that was answered. It holds no header and no body, so no secret either.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestRecord {
    /// `GET`
    pub method: Method,
    /// Path and query: `/v2/app/tags/list?n=5`
    pub target: String,
    /// `200`
    pub status: StatusCode,
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
