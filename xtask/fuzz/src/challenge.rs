//! `WWW-Authenticate`: whatever its lines are, a challenge is made of what stands in one of them, and is read in one way.

use std::fmt::Write as _;

use registry_transport::Challenge;

/// Checks what every header has to keep to. Its lines are the lines of `data`.
///
/// # Panics
///
/// Where a rule is broken.
pub fn check(data: &[u8]) {
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let challenges = Challenge::parse_all(lines.iter().copied());

    // Lines are read alone, in their order.
    let alone: Vec<Challenge> =
        lines.iter().flat_map(|line| Challenge::parse_all([*line])).collect();
    assert_eq!(challenges, alone);

    let text = String::from_utf8_lossy(data);
    for challenge in &challenges {
        let scheme = challenge.scheme();
        assert!(!scheme.is_empty() && scheme.bytes().all(is_tchar), "{scheme:?}");
        assert_eq!(scheme, scheme.to_ascii_lowercase());
        assert!(text.to_ascii_lowercase().contains(scheme), "{scheme:?} is nobody's");
        assert!(!challenge.insecure());
        accepted(challenge, &text);
        written_again(challenge);
    }
}

fn accepted(challenge: &Challenge, text: &str) {
    let mut names: Vec<&str> = challenge.parameters().map(|(name, _)| name).collect();
    for (name, value) in challenge.parameters() {
        assert!(!name.is_empty() && name.bytes().all(is_tchar), "{name:?}");
        assert!(!value.contains(char::is_control), "{value:?}");
        // Without escapes a value is text of the header.
        assert!(text.contains('\\') || text.contains(value), "{value:?} is nobody's");
        let found = challenge.parameter(&name.to_ascii_uppercase());
        assert_eq!(found, Some(value).filter(|value| !value.is_empty()));
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "a parameter is there twice");
    assert_eq!(challenge.realm(), challenge.parameter("realm"));
}

/// Written as RFC 9110 has it, before and behind another challenge, it is the same; stored as JSON as well.
fn written_again(challenge: &Challenge) {
    let mut line = challenge.scheme().to_owned();
    for (n, (name, value)) in challenge.parameters().enumerate() {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        let _ = write!(line, "{}{name}=\"{value}\"", if n == 0 { " " } else { ", " });
    }
    if line.len() > 8 << 10 {
        return;
    }
    let other = "Basic realm=\"x, Bearer realm=\\\"y\\\"\"";
    let [basic] = &Challenge::parse_all([other.as_bytes()])[..] else { panic!("one challenge") };
    for (line, want) in [
        (line.clone(), vec![challenge]),
        (format!("{line}, {other}"), vec![challenge, basic]),
        (format!("{other}, {line}"), vec![basic, challenge]),
    ] {
        let read = Challenge::parse_all([line.as_bytes()]);
        assert_eq!(read.iter().collect::<Vec<_>>(), want, "{line}");
    }
    let stored = serde_json::to_string(challenge).expect("JSON");
    assert_eq!(serde_json::from_str::<Challenge>(&stored).expect("what was stored"), *challenge);
}

fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
