mod table;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn diagnostics(codes: &[&str]) -> Vec<Diagnostic> {
    let diagnostic =
        |code: &&str| Diagnostic { code: (**code).into(), message: String::new(), detail: None };
    codes.iter().map(diagnostic).collect()
}

#[test]
fn error_codes_refine_a_status_and_never_widen_it() {
    for (status, codes, want) in [
        (503, vec!["TOOMANYREQUESTS"], Class::Throttled),
        (500, vec!["TOOMANYREQUESTS"], Class::Throttled),
        (403, vec!["TOOMANYREQUESTS"], Class::Throttled),
        (200, vec!["TOOMANYREQUESTS"], Class::Permanent),
        (500, vec!["DENIED"], Class::Permanent),
        (500, vec!["MANIFEST_INVALID"], Class::Permanent),
        (503, vec!["NAME_UNKNOWN"], Class::Permanent),
        (500, vec!["DIGEST_INVALID"], Class::Permanent),
        (500, vec!["UNKNOWN"], Class::Ambiguous),
        (503, vec!["UNAVAILABLE"], Class::Transient),
        (404, vec!["UNAVAILABLE"], Class::Permanent),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(
            class_of_status(status, &diagnostics(&codes), false),
            want,
            "{status} {codes:?}"
        );
    }
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    assert_eq!(class_of_status(unavailable, &[], true), Class::Throttled);
}

/// All waits of a request that keeps failing with `class`.
fn waits(class: Class, retry_after: Option<Duration>, jitter: f64) -> (Vec<Duration>, Next) {
    let mut spent = Spent { free: 1, ..Spent::default() };
    let mut waits = Vec::new();
    loop {
        match next(&RetryPolicy::default(), class, Replay::Safe, retry_after, &spent, jitter) {
            Next::After(wait) => {
                waits.push(wait);
                spent.charge(class, Next::After(wait));
                spent.elapsed += wait;
            }
            end => return (waits, end),
        }
        assert!(waits.len() < 100, "{class:?} never ends");
    }
}

#[test]
fn a_failing_host_is_asked_six_times_over_eight_to_sixteen_seconds() {
    // E06
    for class in [Class::Transient, Class::Ambiguous, Class::NoAnswer, Class::Unprocessed] {
        let (least, end) = waits(class, None, 0.0);
        assert_eq!((least.len(), end), (5, Next::Stop), "{class:?}");
        assert_eq!(least.iter().sum::<Duration>(), Duration::from_millis(7750));
        let (most, _) = waits(class, None, 1.0);
        assert_eq!(most.iter().sum::<Duration>(), Duration::from_millis(15_500));
    }
}

#[test]
fn a_refused_connection_is_tried_twice_more_and_quickly() {
    // E10
    for jitter in [0.0, 1.0] {
        let (waits, end) = waits(Class::Refused, None, jitter);
        assert_eq!((waits.len(), end), (2, Next::Stop));
        assert!(waits.iter().all(|wait| (50..=250).contains(&wait.as_millis())), "{waits:?}");
    }
}

#[test]
fn a_retry_after_is_never_cut_short_and_a_long_one_fails_at_once() {
    for jitter in [0.0, 0.5, 1.0] {
        let (waits, _) = waits(Class::Throttled, Some(SECOND * 7), jitter);
        assert_eq!(waits.len(), 5);
        assert!(waits.iter().all(|wait| *wait >= SECOND * 7 && *wait <= SECOND * 8), "{waits:?}");
    }
    let (none, end) = waits(Class::Throttled, Some(SECOND * 61), 0.5);
    assert_eq!((none, end), (vec![], Next::Later(SECOND * 61)));
    // two of these fit into the 120 s that all attempts may take
    let (waits, end) = waits(Class::Throttled, Some(SECOND * 50), 0.0);
    assert_eq!((waits.len(), end), (2, Next::Later(SECOND * 50)));
}

#[test]
fn a_policy_without_retries_sends_once_whatever_happens() {
    let policy = RetryPolicy::none();
    for class in
        [Class::Transient, Class::Throttled, Class::NoAnswer, Class::Unprocessed, Class::Refused]
    {
        assert_eq!(
            next(&policy, class, Replay::Safe, None, &Spent::default(), 0.0),
            Next::Stop,
            "{class:?}"
        );
    }
}
