//! What a config file has for a name.

mod common;

use common::{Home, everything, fill};
use registry_authn::ErrorKind;

const HELPERS: [&str; 14] = [
    "echo", "lower", "nourl", "nouser", "empty", "token", "garbage", "two", "partial", "number",
    "nooutput", "notfound", "fail", "yes",
];

/// A config, and lookups in it. `!kind` is an error.
type Row = (&'static str, &'static [(&'static str, &'static str)]);

const ROWS: &[Row] = &[
    (
        r#"{"auths":{"https://test.io":{"auth":"A"}}}"#,
        &[("test.io", "foo / bar"), ("test.io/a", "foo / bar"), ("other.io", "nothing")],
    ),
    (r#"{"auths":{"http://test.io/v1/":{"auth":"A"}}}"#, &[("test.io", "foo / bar")]),
    (r#"{"auths":{"https://test.io/v2/":{"auth":"A"}}}"#, &[("test.io/a", "foo / bar")]),
    (r#"{"auths":{"TEST.io":{"auth":"A"}}}"#, &[("test.io", "foo / bar")]),
    // A key with a path is for what is under that path (containers-auth.json(5)), segment by segment;
    // the registry as a whole is not.
    (
        r#"{"auths":{"test.io/a":{"auth":"A"}}}"#,
        &[
            ("test.io", "nothing"),
            ("test.io/a", "foo / bar"),
            ("test.io/a/b", "foo / bar"),
            ("test.io/b", "nothing"),
            ("test.io/ab", "nothing"),
        ],
    ),
    (
        r#"{"auths":{"test.io/a/b":{"auth":"b64(ab:1)"},"test.io":{"auth":"b64(host:3)"},"test.io/a":{"auth":"b64(a:2)"}}}"#,
        &[
            ("test.io/a/b/c", "ab / 1"),
            ("test.io/a/b", "ab / 1"),
            ("test.io/a/c", "a / 2"),
            ("test.io/a", "a / 2"),
            ("test.io/b", "host / 3"),
            ("test.io", "host / 3"),
        ],
    ),
    (
        r#"{"auths":{"test.io:5000":{"auth":"A"}}}"#,
        &[("test.io:5000", "foo / bar"), ("test.io", "nothing"), ("test.io:5000/x", "foo / bar")],
    ),
    (r#"{"auths":{"*.test.io":{"auth":"A"}}}"#, &[("a.test.io", "nothing")]),
    (
        r#"{"auths":{"test.io/another-repo":{"auth":"b64(a:1)"},"test.io":{"auth":"b64(h:3)"},"test.io/my-repo":{"auth":"A"}}}"#,
        &[("test.io/my-repo", "foo / bar")],
    ),
    (
        r#"{"auths":{"test.io/another-repo":{"auth":"A"},"test.io":{}}}"#,
        &[("test.io/my-repo", "nothing")],
    ),
    // Docker Hub is one registry, however its key is spelled.
    (
        r#"{"auths":{"https://index.docker.io/v1/":{"auth":"A"}}}"#,
        &[
            ("index.docker.io", "foo / bar"),
            ("docker.io", "foo / bar"),
            ("registry-1.docker.io", "foo / bar"),
            ("index.docker.io/library/ubuntu", "foo / bar"),
            ("docker.io/a/b", "foo / bar"),
        ],
    ),
    (r#"{"auths":{"index.docker.io":{"auth":"A"}}}"#, &[("docker.io/a/b", "foo / bar")]),
    (r#"{"auths":{"https://index.docker.io/v2/":{"auth":"A"}}}"#, &[("docker.io", "foo / bar")]),
    (r#"{"auths":{"https://index.docker.io":{"auth":"A"}}}"#, &[("docker.io", "foo / bar")]),
    (r#"{"auths":{"docker.io":{"auth":"A"}}}"#, &[("docker.io/a/b", "foo / bar")]),
    (r#"{"auths":{"registry-1.docker.io":{"auth":"A"}}}"#, &[("docker.io/a/b", "foo / bar")]),
    (r#"{"auths":{"docker.io/v1":{"auth":"A"}}}"#, &[("docker.io/a/b", "foo / bar")]),
    (
        r#"{"auths":{"index.docker.io/a/b":{"auth":"A"}}}"#,
        &[("docker.io/a/b", "foo / bar"), ("docker.io/a/c", "nothing")],
    ),
    // A bare `host/v1` is a path; only an address has an API version.
    (
        r#"{"auths":{"test.io/v1":{"auth":"A"}}}"#,
        &[("test.io/v1/x", "foo / bar"), ("test.io/a", "nothing")],
    ),
    // Two spellings of one key: the plain one counts.
    (
        r#"{"auths":{"https://test.io":{"auth":"b64(x:y)"},"test.io":{"auth":"A"}}}"#,
        &[("test.io", "foo / bar")],
    ),
    (r#"{"auths":{"test.io":{"username":"foo","password":"bar"}}}"#, &[("test.io", "foo / bar")]),
    (r#"{"auths":{"test.io":{"username":"foo"}}}"#, &[("test.io", "foo / ")]),
    (r#"{"auths":{"test.io":{"password":"bar"}}}"#, &[("test.io", "!Entry")]),
    (
        r#"{"auths":{"test.io":{"username":"u","password":"p","auth":"A"}}}"#,
        &[("test.io", "foo / bar")],
    ),
    (r#"{"auths":{"test.io":{"identitytoken":"IT"}}}"#, &[("test.io", "identity IT")]),
    (r#"{"auths":{"test.io":{"registrytoken":"RT"}}}"#, &[("test.io", "registry RT")]),
    // A credential is one thing; the token is the stronger one.
    (r#"{"auths":{"test.io":{"auth":"A","identitytoken":"IT"}}}"#, &[("test.io", "identity IT")]),
    (r#"{"auths":{"test.io":{"auth":"b64(<token>:IT)"}}}"#, &[("test.io", "identity IT")]),
    // C04
    (r#"{"auths":{"test.io":{"auth":"b64(foo:b:a:r)"}}}"#, &[("test.io", "foo / b:a:r")]),
    (r#"{"auths":{"test.io":{"auth":"b64(foo:)"}}}"#, &[("test.io", "foo / ")]),
    (r#"{"auths":{"test.io":{"auth":"b64(foo:bar\0\0)"}}}"#, &[("test.io", "foo / bar")]),
    (r#"{"auths":{"test.io":{"auth":"Zm9vOmJhcg==\n"}}}"#, &[("test.io", "foo / bar")]),
    (r#"{"auths":{"test.io":{"auth":"Zm9vOmJhcg"}}}"#, &[("test.io", "foo / bar")]),
    (r#"{"auths":{"test.io":{"auth":"Zm9vOmJh"}}}"#, &[("test.io", "foo / ba")]),
    (r#"{"auths":{"test.io":{"auth":""}}}"#, &[("test.io", "nothing")]),
    (r#"{"auths":{"test.io":{"auth":"","username":"u","password":"p"}}}"#, &[("test.io", "u / p")]),
    (
        r#"{"auths":{"test.io":{"auth":"A","username":"u","password":"p","identitytoken":"IT","registrytoken":"RT"}}}"#,
        &[("test.io", "registry RT")],
    ),
    // A bad entry is an error for its own registry only.
    (
        r#"{"auths":{"test.io":{"auth":"b64(:bar)"},"good.io":{"auth":"A"}}}"#,
        &[("test.io", "!Entry"), ("other.io", "nothing"), ("good.io", "foo / bar")],
    ),
    (r#"{"auths":{"test.io":{"auth":"b64(foobar)"}}}"#, &[("test.io", "!Entry")]),
    (
        r#"{"auths":{"test.io":{"auth":"!!!"},"good.io":{"auth":"A"}}}"#,
        &[("test.io", "!Entry"), ("other.io", "nothing"), ("good.io", "foo / bar")],
    ),
    (r#"{"auths":{"test.io":{"auth":"%%%"}}}"#, &[("test.io", "!Entry")]),
    (r#"{"auths":{"test.io":{"auth":"bad-auth-bad"}}}"#, &[("test.io", "!Entry")]),
    (r#"{"auths":{"test.io":{"auth":"Zm9vOmJhcg== "}}}"#, &[("test.io", "!Entry")]),
    (r#"{"auths":{"test.io":{"auth":"Zm9vOv_-Pw=="}}}"#, &[("test.io", "!Entry")]),
    (r#"{"auths":{"test.io":{"auth":"Zm9vOv/+Pw=="}}}"#, &[("test.io", "!Entry")]), // not UTF-8
    (
        r#"{"auths":{"test.io":{"username":true},"good.io":{"auth":"A"}}}"#,
        &[("test.io", "!Entry"), ("good.io", "foo / bar")],
    ),
    (r#"{"auths":{"test.io":[1]}}"#, &[("test.io", "!Entry")]),
    (r#"{"auths":{"test.io":null}}"#, &[("test.io", "nothing")]),
    (r#"{"auths":{"test.io":{}}}"#, &[("test.io", "nothing")]),
    (r#"{"auths":null}"#, &[("test.io", "nothing")]),
    ("null", &[("test.io", "nothing")]),
    ("", &[("test.io", "nothing")]),
    // C01: a file that cannot be understood is an error, never silently "anonymous".
    ("[]", &[("test.io", "!File")]),
    ("}{", &[("test.io", "!File")]),
    ("{} trailing", &[("test.io", "!File")]),
    (r#"{"auths":{"test.io":{"auth":"A"}"#, &[("test.io", "!File")]),
    (r#"{"auths":[]}"#, &[("test.io", "!File")]),
    ("{\0}", &[("test.io", "!File")]),
    // C02
    ("\u{feff}{\"auths\":{\"test.io\":{\"auth\":\"A\"}}}", &[("test.io", "foo / bar")]),
    ("{\"auths\":\r\n{\"test.io\":\r\n{\"auth\":\"A\"}}}\r\n", &[("test.io", "foo / bar")]),
    // C03
    (
        r#"{"auths":{"test.io":{"email":"x@y","extra":1,"auth":"A"}},"HttpHeaders":{"X":"y"},"unknown":[1],"psFormat":7}"#,
        &[("test.io", "foo / bar")],
    ),
];

/// C01 to C04, too: the rows say where.
#[tokio::test]
async fn c12_every_key_form_is_found_and_a_bad_entry_spoils_nothing_else() {
    for (config, lookups) in ROWS {
        let home = Home::with_config(&fill(config));
        for (name, wanted) in *lookups {
            assert_found(&home, config, name, wanted).await;
        }
    }
}

async fn assert_found(home: &Home, config: &str, name: &str, wanted: &str) {
    let found = match home.look_up(name).await {
        Ok(found) => found,
        Err(error) => {
            let text = everything(&error);
            assert!(!text.contains("canary") && !text.contains("Zm9v"), "{text}");
            format!("!{:?}", error.kind())
        }
    };
    assert_eq!(found, wanted, "{name} in {config}");
}

/// A config, and lookups in it with what the helper is asked.
type HelperRow = (&'static str, &'static [(&'static str, &'static str, &'static [&'static str])]);

const HUB: &str = "https://index.docker.io/v1/";

const HELPER_ROWS: &[HelperRow] = &[
    (
        r#"{"credHelpers":{"test.io":"echo"}}"#,
        &[
            ("test.io", "user-test.io / sec", &["test.io"]),
            ("test.io/a", "user-test.io / sec", &["test.io"]),
            ("other.io", "nothing", &[]),
        ],
    ),
    // In one file a helper is in charge of its keys, as with Docker.
    (
        r#"{"credHelpers":{"test.io":"notfound"},"auths":{"test.io":{"auth":"A"}}}"#,
        &[("test.io", "nothing", &["test.io"])],
    ),
    // The longest key wins, whatever kind of entry it has.
    (
        r#"{"credHelpers":{"test.io/a":"echo"},"auths":{"test.io":{"auth":"A"}}}"#,
        &[
            ("test.io", "foo / bar", &[]),
            ("test.io/a", "user-test.io/a / sec", &["test.io/a"]),
            ("test.io/a/b", "user-test.io/a / sec", &["test.io/a"]),
        ],
    ),
    (
        r#"{"credsStore":"notfound","credHelpers":{"test.io":"echo"}}"#,
        &[
            ("test.io", "user-test.io / sec", &["test.io"]),
            ("test.io/a", "user-test.io / sec", &["test.io"]),
            ("other.io", "nothing", &["other.io"]),
            ("other.io/a/b", "nothing", &["other.io"]),
        ],
    ),
    (
        r#"{"credsStore":"notfound","auths":{"test.io":{"auth":"A"}}}"#,
        &[("test.io", "nothing", &["test.io"])],
    ),
    // Docker leaves the spelling behind that its store was given.
    (
        r#"{"credsStore":"echo","auths":{"https://test.io":{}}}"#,
        &[("test.io", "user-https://test.io / sec", &["https://test.io"])],
    ),
    (
        r#"{"credsStore":"echo"}"#,
        &[("docker.io/a/b", "user-https://index.docker.io/v1/ / sec", &[HUB])],
    ),
    (r#"{"credsStore":"token"}"#, &[("test.io", "identity idtok", &["test.io"])]),
    (r#"{"credsStore":"lower"}"#, &[("test.io", "lu / ls", &["test.io"])]),
    (r#"{"credsStore":"empty"}"#, &[("test.io", "nothing", &["test.io"])]),
    // C11: what a helper says about the server does not matter.
    (r#"{"credsStore":"nourl"}"#, &[("test.io", "u / s", &["test.io"])]),
    // C07, C08: a failure is an error, and nothing of the output is in it.
    (r#"{"credsStore":"nouser"}"#, &[("test.io", "!Helper", &["test.io"])]),
    (r#"{"credsStore":"fail"}"#, &[("test.io", "!Helper", &["test.io"])]),
    (r#"{"credsStore":"garbage"}"#, &[("test.io", "!Helper", &["test.io"])]),
    (r#"{"credsStore":"two"}"#, &[("test.io", "!Helper", &["test.io"])]),
    (r#"{"credsStore":"partial"}"#, &[("test.io", "!Helper", &["test.io"])]),
    (r#"{"credsStore":"number"}"#, &[("test.io", "!Helper", &["test.io"])]),
    (r#"{"credsStore":"nooutput"}"#, &[("test.io", "!Helper", &["test.io"])]),
    (r#"{"credsStore":"yes"}"#, &[("test.io", "!Helper", &["test.io"])]),
    (r#"{"credsStore":"doesnotexist"}"#, &[("test.io", "!HelperMissing", &[])]),
    // Docker Hub's key in any spelling; the helper is asked as it is written, then as Docker writes it.
    (
        r#"{"credHelpers":{"index.docker.io":"notfound"}}"#,
        &[("index.docker.io", "nothing", &["index.docker.io", HUB])],
    ),
    (
        r#"{"credHelpers":{"https://index.docker.io/v1/":"echo"}}"#,
        &[
            ("docker.io", "user-https://index.docker.io/v1/ / sec", &[HUB]),
            ("docker.io/a/b", "user-https://index.docker.io/v1/ / sec", &[HUB]),
        ],
    ),
    (
        r#"{"credHelpers":{"https://test.io":"notfound"}}"#,
        &[("test.io", "nothing", &["https://test.io", "test.io"])],
    ),
    // An empty name is Docker's way to say "in this file".
    (r#"{"credHelpers":{"test.io":""},"credsStore":"echo"}"#, &[("test.io", "nothing", &[])]),
    (
        r#"{"credHelpers":{"test.io":""},"credsStore":"echo","auths":{"test.io":{"auth":"A"}}}"#,
        &[("test.io", "foo / bar", &[])],
    ),
    // C09: not a name, not run.
    (r#"{"credsStore":"../../x"}"#, &[("test.io", "!Input", &[])]),
    (r#"{"credsStore":"a/b"}"#, &[("test.io", "!Input", &[])]),
    (r#"{"credsStore":"a b"}"#, &[("test.io", "!Input", &[])]),
    (r#"{"credsStore":"$(x)"}"#, &[("test.io", "!Input", &[])]),
    (r#"{"credsStore":"x\u0000"}"#, &[("test.io", "!Input", &[])]),
    (r#"{"credsStore":7}"#, &[("test.io", "!Entry", &[])]),
    (
        r#"{"credHelpers":{"test.io":7,"good.io":"echo"}}"#,
        &[("test.io", "!Entry", &[]), ("good.io", "user-good.io / sec", &["good.io"])],
    ),
];

/// C07 to C09 and C11: the rows say where.
#[tokio::test]
async fn helpers_are_asked_for_the_keys_that_are_theirs() {
    for (config, lookups) in HELPER_ROWS {
        let home = Home::with_config(&fill(config)).with_helpers(&HELPERS);
        for (name, wanted, asked) in *lookups {
            assert_found(&home, config, name, wanted).await;
            assert_eq!(&home.asked(), asked, "{name} in {config}");
        }
    }
}

#[tokio::test]
async fn a_broken_file_names_itself_the_position_and_the_way_on() {
    let home = Home::with_config("{\"auths\":\n  oops}");
    let error = home.look_up("test.io").await.unwrap_err();
    let file = home.path(".docker/config.json").display().to_string();
    assert_eq!(error.kind(), ErrorKind::File);
    assert_eq!(error.to_string(), format!("{file} is not JSON"));
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "expected value at line 2 column 3");
    let hint = format!("correct it, or go on without its log-ins by moving {file} away");
    assert_eq!(error.hint(), Some(hint.as_str()));
}
