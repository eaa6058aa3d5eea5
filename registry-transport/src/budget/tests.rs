use std::time::Duration;

use super::*;

#[test]
fn the_clock_of_a_request_stops_where_its_body_is_cut() {
    let budget = Budget::new();
    let then = Instant::now();
    let later = then + Duration::from_secs(130);
    assert_eq!(budget.spent_at(then).elapsed, Duration::ZERO);
    budget.interrupted(0).unwrap();
    assert_eq!(budget.spent_at(later).elapsed, Duration::ZERO);
}

#[test]
fn what_begins_anew_owes_nothing_for_its_requests_and_all_for_its_interruptions() {
    let budget = Budget::new();
    for _ in 0..INTERRUPTIONS {
        budget.charge(Class::Transient, Next::After(Duration::ZERO));
        budget.interrupted(0).unwrap();
        assert_ne!(budget.retries(), 0);
        budget.begin_anew();
        assert_eq!(budget.retries(), 0);
    }
    assert_eq!(budget.interrupted(0), None);
}

#[test]
fn interruptions_with_progress_between_them_do_not_follow_each_other() {
    for (progress, allowed) in [(PROGRESS, 100), (PROGRESS - 1, INTERRUPTIONS)] {
        let budget = Budget::for_blob(10 << 30);
        let mut interruptions = 0;
        while interruptions < 100 && budget.interrupted(0).is_some() {
            interruptions += 1;
            budget.advanced(progress);
        }
        assert_eq!(interruptions, allowed);
    }
    // As with those that came too slowly.
    let budget = Budget::for_blob(10 << 30);
    for _ in 0..3 {
        assert_eq!(budget.too_slow(0), Some(1));
        budget.advanced(PROGRESS);
    }
}
