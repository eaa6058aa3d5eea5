//! `Retry-After`: a wait that can be waited for, never earlier than asked, and nothing where it cannot be read.

use std::time::{Duration, SystemTime};

use registry_transport::{HeaderMap, header, header::HeaderValue, retry_after};

/// The longest wait that is told apart.
const LONGEST: u64 = u32::MAX as u64;

/// Checks what every header has to keep to. The first line of `data` is the answer's `Date`, the others are its
/// `Retry-After`.
///
/// # Panics
///
/// Where a rule is broken.
pub fn check(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let date = lines.next().and_then(|line| HeaderValue::from_bytes(line).ok());
    let values: Vec<_> = lines.filter_map(|line| HeaderValue::from_bytes(line).ok()).collect();

    let mut headers = HeaderMap::new();
    headers.extend(date.map(|date| (header::DATE, date)));
    for value in &values {
        headers.append(header::RETRY_AFTER, value.clone());
    }
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let wait = retry_after(&headers, now);

    if let Some(wait) = wait {
        assert!(wait <= Duration::from_secs(LONGEST), "{wait:?}");
        // A date of it can be given.
        assert!(now.checked_add(wait).is_some());
    }
    let Some(first) = values.first() else {
        assert_eq!(wait, None);
        return;
    };
    headers.append(header::RETRY_AFTER, first.clone());
    if values.iter().any(|value| value != first) {
        assert_eq!(wait, None, "two different waits");
        return;
    }
    assert_eq!(retry_after(&headers, now), wait, "the same wait twice");
    let text = first.to_str().map(str::trim).unwrap_or_default();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let significant = text.trim_start_matches('0');
        let seconds = match significant.len() {
            0 => 0,
            1..=18 => significant.parse().expect("few digits"),
            _ => u64::MAX,
        };
        assert_eq!(wait, Some(Duration::from_secs(seconds.min(LONGEST))));
    } else if wait.is_some() {
        // A date, and every one of those names the time zone or the year in digits.
        assert!(text.bytes().any(|byte| byte.is_ascii_alphabetic()), "{text:?}");
        assert!(wait > Some(Duration::ZERO));
    }
}
