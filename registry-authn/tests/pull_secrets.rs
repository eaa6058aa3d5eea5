//! Pull secrets of Kubernetes, from files.

#![allow(clippy::unwrap_used, clippy::panic, reason = "only tests")]

mod common;

use common::{Home, everything, fill, look_up, resource, show};
use registry_authn::{Error, ErrorKind, PullSecrets};

/// The entries of a secret: keys, each with a user of its own.
fn secret(users: &[(&str, &str)]) -> String {
    let entries: Vec<_> =
        users.iter().map(|(key, user)| format!(r#""{key}":{{"auth":"b64({user}:x)"}}"#)).collect();
    fill(&format!("{{{}}}", entries.join(",")))
}

fn dockerconfigjson(users: &[(&str, &str)]) -> String {
    format!(r#"{{"auths":{}}}"#, secret(users))
}

/// The users of all that match, in order.
async fn users(secrets: &PullSecrets, name: &str) -> Result<Vec<String>, Error> {
    let found = secrets.matching(&resource(name)).await?;
    Ok(found.iter().map(|credential| show(credential).replace(" / x", "")).collect())
}

/// Keys with their users, and names with the users that match.
type Row =
    (&'static [(&'static str, &'static str)], &'static [(&'static str, &'static [&'static str])]);

const ROWS: &[Row] = &[
    (
        &[("fake.registry.io:5000", "u")],
        &[
            ("fake.registry.io:5000", &["u"]),
            ("fake.registry.io:5000/a/b", &["u"]),
            ("fake.registry.io:1000", &[]),
            ("fake.registry.io", &[]),
        ],
    ),
    // A prefix is one of segments, not of characters.
    (
        &[
            ("fake.registry.io", "root"),
            ("fake.registry.io/nested", "nested"),
            ("fake.registry.io/nested/repo", "leaf"),
            ("fake.registry.io/par", "par"),
        ],
        &[
            ("fake.registry.io", &["root"]),
            ("fake.registry.io/nested", &["nested", "root"]),
            ("fake.registry.io/nested/repo", &["leaf", "nested", "root"]),
            ("fake.registry.io/nested/repo/dirt", &["leaf", "nested", "root"]),
            ("fake.registry.io/partial", &["root"]),
        ],
    ),
    (
        &[("fake.registry.io", "f"), ("1.fake.registry.io", "one")],
        &[
            ("fake.registry.io", &["f"]),
            ("1.fake.registry.io", &["one"]),
            ("2.fake.registry.io", &[]),
        ],
    ),
    (
        &[("https://fake.registry.io/v1/", "v1"), ("https://fake2.registry.io/v2/", "v2")],
        &[("fake.registry.io/a", &["v1"]), ("fake2.registry.io/a/b", &["v2"])],
    ),
    (&[("https://fake.registry.io", "u")], &[("fake.registry.io/a", &["u"])]),
    (&[("https://index.docker.io/v1/", "hub")], &[("docker.io/library/ubuntu", &["hub"])]),
    // `*` is for one label, and what has none goes first.
    (
        &[("*.registry.io", "any"), ("fake.registry.io", "exact"), ("*.registry.io/a", "below")],
        &[
            ("fake.registry.io", &["exact", "any"]),
            ("blah.registry.io/b", &["any"]),
            ("fake.registry.io/a/b", &["below", "exact", "any"]),
            ("registry.io", &[]),
            ("a.b.registry.io", &[]),
            ("fake.registry.io:5000", &[]),
        ],
    ),
    (
        &[("*.*.kubernetes.io", "u")],
        &[("abc.kubernetes.io", &[]), ("abc.def.kubernetes.io", &["u"])],
    ),
    (&[("prefix.*.io", "u")], &[("prefix.kubernetes.io", &["u"]), ("kubernetes.io", &[])]),
    (
        &[("*-good.kubernetes.io", "u")],
        &[("prefix-good.kubernetes.io", &["u"]), ("good.kubernetes.io", &[])],
    ),
    (
        &[("A*b*b*C.io:5000", "u")],
        &[
            ("abbc.io:5000", &["u"]),
            ("axbybzc.io:5000/x", &["u"]),
            ("abc.io:5000", &[]),
            ("abcbc.io", &[]),
        ],
    ),
    (
        &[("*.io", "u"), ("*.io.example", "v")],
        &[("a.io", &["u"]), ("a.io.example", &["v"]), ("a.io.test", &[])],
    ),
    (&[("https://*.registry.io/v1/", "u")], &[("fake.registry.io/a", &["u"])]),
    (&[("ftp://fake.registry.io", "u"), ("fake registry", "u")], &[("fake.registry.io", &[])]),
];

#[tokio::test]
async fn keys_match_hosts_ports_and_path_segments_the_longest_first() {
    for (keys, lookups) in ROWS {
        let home = Home::new();
        let files = [
            home.write("new/.dockerconfigjson", dockerconfigjson(keys)),
            home.write("old/.dockercfg", secret(keys)),
        ];
        for file in files {
            let directory = file.parent().unwrap().to_owned();
            for secrets in [PullSecrets::new([file]), PullSecrets::new([directory])] {
                for (name, wanted) in *lookups {
                    let found = users(&secrets, name).await.unwrap();
                    assert_eq!(&found, wanted, "{name} with {keys:?}");
                    let first =
                        wanted.first().map_or("nothing".into(), |user| format!("{user} / x"));
                    assert_eq!(look_up(&secrets, name).await.unwrap(), first, "{name}");
                }
            }
        }
    }
}

#[tokio::test]
async fn secrets_of_the_same_rank_stay_in_order() {
    let home = Home::new();
    let first = home.write("1.json", dockerconfigjson(&[("test.io", "one"), ("*.io", "glob")]));
    let second = home.write("2.json", secret(&[("test.io", "two"), ("test.io/a", "below")]));
    let secrets = PullSecrets::new([first.clone(), home.path("absent"), second.clone()]);
    assert_eq!(users(&secrets, "test.io/a").await.unwrap(), ["below", "one", "two", "glob"]);
    let secrets = PullSecrets::new([second, first.clone()]);
    assert_eq!(users(&secrets, "test.io").await.unwrap(), ["two", "one", "glob"]);
    // A mounted secret may change.
    std::fs::write(first, "").unwrap();
    assert_eq!(users(&secrets, "test.io").await.unwrap(), ["two"]);
    assert!(users(&PullSecrets::new(Vec::<String>::new()), "test.io").await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_broken_in_a_secret_names_itself_and_no_secret() {
    let home = Home::new();
    let path = home.write("s.json", r#"{"auths":{"bad.io":{"auth":"!canary"},"empty.io":{},"good.io":{"username":"u","password":"x"}},"credsStore":"missing"}"#);
    let secrets = PullSecrets::new([path.clone()]);
    let error = users(&secrets, "bad.io/a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Entry);
    let wanted =
        format!("the entry \"bad.io\" in {} has an auth that is not base64", path.display());
    assert_eq!(error.to_string(), wanted);
    assert!(!everything(&error).contains("canary"));
    assert_eq!(users(&secrets, "good.io").await.unwrap(), ["u"]);
    assert!(users(&secrets, "empty.io").await.unwrap().is_empty());
    for (text, message) in [
        ("canary", "is not JSON"),
        ("[]", "is not a JSON object"),
        (r#"{"auths":["canary"]}"#, "has \"auths\" that are not an object"),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = users(&secrets, "test.io").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::File);
        assert_eq!(error.to_string(), format!("{} {message}", path.display()));
        assert!(!everything(&error).contains("canary"));
    }
    std::fs::write(&path, r#"{"auths":null}"#).unwrap();
    assert!(users(&secrets, "test.io").await.unwrap().is_empty());
}
