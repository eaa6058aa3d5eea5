use super::*;

fn platform(text: &str) -> Platform {
    text.parse().unwrap()
}

#[test]
fn text_round_trips() {
    for text in [
        "linux/amd64",
        "linux/arm/v7",
        "windows/amd64:10.0.17763.1234",
        "windows/amd64:10.0.1+win32k+other",
        "linux/amd64+x",
        "linux/*",
        "*/*/*:*",
    ] {
        assert_eq!(platform(text).to_string(), text);
    }
}

#[test]
fn what_is_not_a_platform_is_refused() {
    for text in [
        "",
        "linux",
        "linux/",
        "/amd64",
        "linux/arm/v7/x",
        "linux/arm:1:2",
        "linux/a b",
        "linux/a*",
        "linux/amd64+",
        "linux/amd64+*",
    ] {
        assert!(text.parse::<Platform>().is_err(), "{text:?}");
    }
}

#[test]
fn a_request_matches_what_is_at_least_as_precise() {
    let rows = [
        ("linux/amd64", "linux/amd64", true),
        ("linux/amd64", "linux/arm64", false),
        ("linux/arm", "linux/arm/v7", true),
        ("linux/arm/v7", "linux/arm", false),
        ("linux/arm/v6", "linux/arm/v7", false),
        ("windows/amd64", "windows/amd64:10.0.1", true),
        ("windows/amd64:10.0.2", "windows/amd64:10.0.1", false),
        ("linux/amd64", "LinuX/amd64", false),
        ("linux/arm64/v8", "linux/arm64", true),
        ("linux/arm64", "linux/arm64/v8", true),
        ("linux/arm64/v9", "linux/arm64", false),
        ("linux/amd64/v1", "linux/amd64", true),
        ("linux/amd64/v3", "linux/amd64/v2", false),
        ("linux/*", "linux/arm/v7", true),
        ("linux/*", "windows/amd64", false),
        ("*/*", "unknown/unknown", false),
        ("linux/arm/*", "linux/arm/v6", true),
        ("linux/*/v8", "linux/arm64/v8", true),
        ("linux/*/v8", "linux/arm64", true),
        ("linux/*/v8", "linux/arm/v7", false),
        ("linux/*/v7", "linux/arm/v7", true),
        ("*/*/v1", "linux/amd64", true),
        ("windows/amd64:*", "windows/amd64:10.0.1", true),
    ];
    for (wanted, offered, expected) in rows {
        assert_eq!(platform(wanted).matches(&platform(offered)), expected, "{wanted} {offered}");
    }
}

#[test]
fn features_must_be_included() {
    let with = |features: &[&str]| Platform {
        os_features: features.iter().map(ToString::to_string).collect(),
        ..Platform::linux_amd64()
    };
    assert!(with(&["a"]).matches(&with(&["b", "a"])));
    assert!(!with(&["a", "b"]).matches(&with(&["a"])));
}

#[test]
fn the_dotted_fields_survive_json() {
    let text =
        r#"{"os":"windows","architecture":"amd64","os.version":"10.0","os.features":["win32k"]}"#;
    let platform: Platform = serde_json::from_str(text).unwrap();
    assert_eq!(platform.os_version.as_deref(), Some("10.0"));
    assert_eq!(serde_json::to_string(&platform).unwrap().len(), text.len());
}

#[test]
fn names_of_other_programs_are_translated() {
    let rows = [
        ("linux/x86_64", "linux/amd64"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm/7", "linux/arm/v7"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("macos/aarch64", "darwin/arm64"),
    ];
    for (text, expected) in rows {
        assert_eq!(platform(text).to_string(), expected);
    }
}

#[test]
fn the_variant_of_an_arm_is_that_of_the_machine() {
    for (machine, variant) in [
        ("armv5tel", Some("v5")),
        ("armv6l", Some("v6")),
        ("armv7l", Some("v7")),
        ("armv8l", Some("v7")),
        ("aarch64", Some("v7")),
        ("arm", None),
        ("", None),
    ] {
        assert_eq!(arm_variant(machine), variant, "{machine}");
    }
}

#[test]
fn local_is_this_machine() {
    let local = platform("local");
    assert_eq!(local, Platform::local());
    assert!(!local.is_wildcard() && !local.is_unknown());
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        assert_eq!(local, Platform::linux_amd64());
    }
}

#[test]
fn what_a_configuration_does_not_say_rules_out_nothing() {
    let rows = [
        ("linux/unknown", "linux/arm64", false),
        ("unknown/arm64", "linux/arm64/v8", false),
        ("linux/arm64", "linux/arm64/v9", false),
        ("linux/arm64", "linux/*", false),
        ("linux/arm64/v8", "linux/arm64/v9", true),
        ("windows/amd64", "linux/*", true),
        ("windows/amd64:1", "windows/amd64:2", true),
        ("windows/amd64", "windows/amd64:2+win32k", false),
    ];
    for (said, wanted, expected) in rows {
        assert_eq!(platform(said).contradicts(&platform(wanted)), expected, "{said} {wanted}");
    }
}
