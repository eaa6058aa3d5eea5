use super::*;

fn every(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("not zero")
}

#[test]
fn specifications_are_read_and_written() {
    for (text, fault) in [
        ("fail=3:503", Fault::FailNext(3, StatusCode::SERVICE_UNAVAILABLE)),
        ("fail=1:404", Fault::FailNext(1, StatusCode::NOT_FOUND)),
        ("cut=1024", Fault::CutBodies(1024)),
        ("cut=0", Fault::CutBodies(0)),
        ("delay=250ms", Fault::Delay(Duration::from_millis(250))),
        ("429=5", Fault::RateLimitEvery(every(5))),
        ("expire-tokens=2", Fault::ExpireTokensEvery(every(2))),
    ] {
        assert_eq!(text.parse(), Ok(fault));
        assert_eq!(fault.to_string(), text);
    }
    assert_eq!("fail=3".parse(), "fail=3:503".parse::<Fault>());
    assert_eq!("delay=2s".parse(), Ok(Fault::Delay(Duration::from_secs(2))));
    for text in [
        "",
        "fail",
        "fail=",
        "fail=-1",
        "fail=+1",
        "fail=x",
        "fail=1:200",
        "fail=1:99",
        "cut=1k",
        "delay=1",
        "delay=ms",
        "delay=1.5s",
        "429=0",
        "429",
        "expire-tokens=0",
        "other=1",
        "fail=99999999999",
        " fail=1",
    ] {
        assert!(text.parse::<Fault>().is_err(), "{text:?}");
    }
}

#[test]
fn faults_count_their_requests() {
    let faults = Faults::default();
    assert_eq!(faults.plan("/v2/"), Plan::default(), "never by accident");
    faults.add("fail=2:500".parse().expect("a fault"));
    faults.add("expire-tokens=3".parse().expect("a fault"));
    faults.add("429=4".parse().expect("a fault"));
    assert_eq!(faults.plan("/healthz"), Plan::default(), "not counted");
    let plans: Vec<(u16, bool)> = (0..8)
        .map(|_| faults.plan("/v2/a/tags/list"))
        .map(|plan| (plan.refuse.map_or(0, |status| status.as_u16()), plan.expire_tokens))
        .collect();
    let (ok, late) = ((0, false), (0, true));
    let (fails, limited) = ((500, false), (429, false));
    assert_eq!(plans, [fails, fails, late, limited, ok, late, ok, limited]);
    faults.clear();
    assert_eq!(faults.plan("/v2/"), Plan::default());
}

#[test]
fn delays_add_up_and_cuts_replace() {
    let faults = Faults::default();
    for text in ["delay=1s", "delay=500ms", "cut=10", "cut=7"] {
        faults.add(text.parse().expect("a fault"));
    }
    let plan = faults.plan("/token");
    assert_eq!((plan.delay, plan.cut), (Duration::from_millis(1500), Some(7)));
}
