//! `Retry-After` (RFC 9110, section 10.2.3).

use std::time::{Duration, SystemTime};

use http::header::{DATE, HeaderMap, RETRY_AFTER};

/// The longest wait that is told apart: 136 years. It can be added to any time of day.
const LONGEST: u64 = u32::MAX as u64;

/// How long the server asks to wait (`Retry-After`): seconds, or a date relative to the answer's own `Date` (`now` where it
/// has none).
///
/// Several different values, a sign, a fraction or anything else unreadable is as good as nothing, and so is a date in the past.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use registry_transport::{HeaderMap, header, retry_after};
///
/// let mut headers = HeaderMap::new();
/// headers.insert(header::RETRY_AFTER, "120".parse()?);
/// assert_eq!(retry_after(&headers, SystemTime::now()), Some(Duration::from_secs(120)));
/// # Ok::<(), header::InvalidHeaderValue>(())
/// ```
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let mut values = headers.get_all(RETRY_AFTER).iter();
    let first = values.next()?;
    if values.any(|value| value != first) {
        return None;
    }
    let value = first.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are still "very long".
        return Some(Duration::from_secs(value.parse().unwrap_or(LONGEST).min(LONGEST)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let sent = headers
        .get(DATE)
        .and_then(|date| date.to_str().ok())
        .and_then(|date| httpdate::parse_http_date(date).ok())
        .unwrap_or(now);
    let wait = date.duration_since(sent).ok().filter(|wait| !wait.is_zero())?;
    Some(wait.min(Duration::from_secs(LONGEST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(values: &[&str], date: Option<&str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(RETRY_AFTER, value.parse().unwrap());
        }
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        retry_after(&headers, httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:00 GMT").unwrap())
    }

    #[test]
    fn both_forms_are_read_and_anything_else_is_absent() {
        // E02
        let seconds = |n| Some(Duration::from_secs(n));
        let late = Some("Sun, 06 Nov 1994 08:49:30 GMT");
        for (values, date, want) in [
            (vec!["7"], None, seconds(7)),
            (vec![" 7 "], None, seconds(7)),
            (vec!["0"], None, seconds(0)),
            (vec!["99999999999999999999999"], None, seconds(LONGEST)),
            (vec!["18446744073709551615"], None, seconds(LONGEST)),
            (vec!["Fri, 31 Dec 9999 23:59:59 GMT"], None, seconds(LONGEST)),
            (vec!["7", "7"], None, seconds(7)),
            (vec!["7", "8"], None, None),
            (vec!["-1"], None, None),
            (vec!["+1"], None, None),
            (vec!["1.5"], None, None),
            (vec!["soon"], None, None),
            (vec![""], None, None),
            (vec![], None, None),
            (vec!["Sun, 06 Nov 1994 08:49:37 GMT"], None, seconds(37)),
            // the server's own clock counts, not ours
            (vec!["Sun, 06 Nov 1994 08:49:37 GMT"], late, seconds(7)),
            (vec!["Sunday, 06-Nov-94 08:49:37 GMT"], late, seconds(7)),
            (vec!["Sun Nov  6 08:49:37 1994"], late, seconds(7)),
            (vec!["Sun, 06 Nov 1994 08:49:29 GMT"], late, None),
            (vec!["Sun, 06 Nov 1994 08:49:30 GMT"], late, None),
        ] {
            assert_eq!(wait(&values, date), want, "{values:?} {date:?}");
        }
    }
}
