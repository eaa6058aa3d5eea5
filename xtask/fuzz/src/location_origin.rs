//! A URL that a server chose: it is resolved, judged by the origin rule, and printed without its secrets.

use std::net::{IpAddr, Ipv6Addr};

use registry_transport::origin::{Home, Verdict, judge, locate};
use registry_transport::{Origin, RedactedUrl, Refusal, Url};

/// Who may answer: a public registry, one on another port, one over plain HTTP, and two of a private network.
const HOMES: [(&str, bool); 5] = [
    ("https://registry.example/v2/a/blobs/uploads/", false),
    ("https://registry.example:5000/v2/", false),
    ("http://registry.example/v2/", false),
    ("https://10.0.0.1/v2/", true),
    ("http://localhost:5000/v2/a/b?n=1", true),
];

/// Checks what every location has to keep to.
///
/// # Panics
///
/// Where a rule is broken.
pub fn check(data: &[u8]) {
    for (answered, local) in HOMES {
        let answered: Url = answered.parse().expect("a URL");
        let Some(url) = locate(&answered, data) else { continue };
        let origin = Origin::of(&answered).expect("an origin");
        located(&Home { origin, local }, &url);
    }
}

fn located(home: &Home, url: &Url) {
    assert!(url.as_str().len() <= 8 << 10);
    let verdict = judge(home, url);
    let with_user = !url.username().is_empty() || url.password().is_some();
    let origin = Origin::of(url);
    let host = url.host_str().unwrap_or_default();
    let named = !host.strip_suffix('.').unwrap_or(host).split('.').any(str::is_empty);
    let hosted = matches!(url.scheme(), "http" | "https") && named;
    assert_eq!(origin.is_some(), hosted, "{url}");

    // Secrets go to the very same origin and nowhere else.
    assert_eq!(verdict == Verdict::Keep, origin.as_ref() == Some(&home.origin) && !with_user);
    if verdict == Verdict::Keep {
        assert_eq!(url.scheme() == "https", home.origin.is_tls());
        assert_eq!(url.port_or_known_default(), Some(home.origin.port()));
        let host = url.host_str().unwrap_or_default().trim_end_matches('.');
        assert!(host.eq_ignore_ascii_case(home.origin.host()));
    }
    if matches!(verdict, Verdict::Keep | Verdict::Strip) {
        assert!(!with_user && origin.is_some());
        assert!(url.scheme() == "https" || !home.origin.is_tls(), "{url} is a downgrade");
        let private = address(url).is_some_and(is_private) || is_local_name(url);
        assert!(verdict == Verdict::Keep || home.local || !private, "{url} is private");
    }
    if verdict == Verdict::Refuse(Refusal::Scheme) {
        assert!(origin.is_none());
    }
    printed(url, with_user);
    if let Some(origin) = origin {
        let again: Url = origin.to_string().parse().expect("a URL");
        assert_eq!(Origin::of(&again), Some(origin));
    }
}

/// Nothing that may be secret is printed, and what is printed is a URL again.
fn printed(url: &Url, with_user: bool) {
    let shown: Url = RedactedUrl::from(url).as_str().parse().expect("a URL");
    assert_eq!(shown.password(), None);
    assert_eq!(shown.username(), if with_user { "REDACTED" } else { "" });
    let place = |url: &Url| (url.host().map(|host| host.to_string()), url.port());
    assert_eq!(place(&shown), place(url));
    // Without a host, a path is opaque, and may end in spaces while a fragment follows.
    assert_eq!(shown.path().trim_end(), url.path().trim_end());
    assert_eq!(shown.fragment(), None);
    let harmless = ["scope", "service", "mount", "from", "digest", "n", "last"];
    for (key, value) in shown.query_pairs() {
        let hidden = value == "REDACTED" || (value.is_empty() && key == "REDACTED");
        assert!(hidden || harmless.contains(&key.as_ref()), "{key}={value}");
    }
}

fn address(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_start_matches('[').trim_end_matches([']', '.']).parse().ok()
}

/// The best known of the addresses that no public registry may lead to.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified()
        }
        IpAddr::V6(v6) => {
            let mapped = v6.to_ipv4_mapped().is_some_and(|v4| is_private(v4.into()));
            mapped || v6 == Ipv6Addr::LOCALHOST || v6.is_unspecified() || v6.is_unique_local()
        }
    }
}

fn is_local_name(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    host == "localhost" || host.ends_with(".localhost")
}
