//! Where credentials are looked for, and who is asked in which order.

#![allow(clippy::unwrap_used, clippy::panic, reason = "only tests")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use common::{Clock, Home, everything, fill, look_up, resource, show};
use registry_authn::{
    Anonymous, Authenticator, Chain, Credential, DockerConfig, Environment, Error, ErrorKind,
    Fixed, GitHub, Keychain, Refreshing, Resource, Secret, default_keychain_in,
};

/// A file with one user for `test.io`, named after the place.
fn one(user: &str) -> String {
    fill(&format!(r#"{{"auths":{{"test.io":{{"auth":"b64({user}:x)"}}}}}}"#))
}

/// Places, as they are named in a home: D is `$DOCKER_CONFIG`, H `~/.docker`, R `$REGISTRY_AUTH_FILE`, X
/// `$XDG_RUNTIME_DIR`, C `$XDG_CONFIG_HOME`, c `~/.config`, E `$DOCKER_AUTH_CONFIG`.
fn with_places(present: &str) -> Home {
    let mut home = Home::new();
    for place in present.chars() {
        let file = match place {
            'D' => "d/config.json",
            'H' => ".docker/config.json",
            'R' => "r.json",
            'X' => "x/containers/auth.json",
            'C' => "c/containers/auth.json",
            'c' => ".config/containers/auth.json",
            'E' => {
                home = home.var("DOCKER_AUTH_CONFIG", one("E"));
                continue;
            }
            _ => unreachable!(),
        };
        let path = home.write(file, one(&place.to_string()));
        let directory = |levels| path.ancestors().nth(levels).unwrap().to_owned();
        home = match place {
            'D' => home.var("DOCKER_CONFIG", directory(1)),
            'R' => home.var("REGISTRY_AUTH_FILE", path),
            'X' => home.var("XDG_RUNTIME_DIR", directory(2)),
            'C' => home.var("XDG_CONFIG_HOME", directory(2)),
            _ => home,
        };
    }
    home
}

#[tokio::test]
async fn c14_the_first_place_with_the_key_wins() {
    for (present, wanted) in [
        ("", "nothing"),
        ("H", "H / x"),
        ("XC", "X / x"),
        ("RXC", "R / x"),
        ("RXCH", "H / x"),
        ("RXCHD", "D / x"),
        ("RXCHDE", "E / x"),
        ("C", "C / x"),
        ("c", "c / x"),
        ("Cc", "C / x"),
    ] {
        assert_eq!(with_places(present).look_up("test.io").await.unwrap(), wanted, "{present}");
    }
}

#[tokio::test]
async fn c14_variables_that_replace_a_place_hide_it() {
    // $DOCKER_CONFIG instead of ~/.docker, $REGISTRY_AUTH_FILE instead of the XDG places
    let home = with_places("H");
    let empty = home.path("empty");
    let home = home.var("DOCKER_CONFIG", empty.clone());
    assert_eq!(home.look_up("test.io").await.unwrap(), "nothing");
    let home = with_places("HX");
    let home = home.var("DOCKER_CONFIG", empty);
    assert_eq!(home.look_up("test.io").await.unwrap(), "X / x");
    let home = with_places("XCc");
    let absent = home.path("absent.json");
    let home = home.var("REGISTRY_AUTH_FILE", absent);
    assert_eq!(home.look_up("test.io").await.unwrap(), "nothing");
    // One that is empty counts as not set.
    for name in ["DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"] {
        assert_eq!(with_places("Hc").var(name, "").look_up("test.io").await.unwrap(), "H / x");
    }
    // No home, no variables: no places.
    let nobody = DockerConfig::new(&Environment::empty());
    assert_eq!(look_up(&nobody, "test.io").await.unwrap(), "nothing");
}

#[tokio::test]
async fn all_places_are_read_together_and_the_longest_key_wins() {
    let home = Home::with_config(&fill(r#"{"auths":{"test.io":{"auth":"b64(docker:1)"}}}"#));
    home.write(
        ".config/containers/auth.json",
        fill(r#"{"auths":{"test.io/ns":{"auth":"b64(podman:2)"},"quay.io":{"auth":"A"},"docker.io":{"auth":"b64(hub:3)"}}}"#),
    );
    assert_eq!(home.look_up("test.io/ns/x").await.unwrap(), "podman / 2");
    assert_eq!(home.look_up("test.io/other").await.unwrap(), "docker / 1");
    assert_eq!(home.look_up("quay.io/x/y").await.unwrap(), "foo / bar");
    assert_eq!(home.look_up("docker.io/a/b").await.unwrap(), "hub / 3");
    let home =
        home.var("DOCKER_AUTH_CONFIG", fill(r#"{"auths":{"other.io":{"auth":"b64(env:e)"}}}"#));
    assert_eq!(home.look_up("other.io").await.unwrap(), "env / e");
    assert_eq!(home.look_up("test.io").await.unwrap(), "docker / 1");
    let plain = r#"{"auths":{"https://test.io":{"username":"u","password":"p"}}}"#;
    let home = home.var("DOCKER_AUTH_CONFIG", plain);
    assert_eq!(home.look_up("test.io").await.unwrap(), "u / p");
}

#[tokio::test]
async fn c01_a_variable_that_is_not_json_is_an_error_without_its_text() {
    let home = Home::new().var("DOCKER_AUTH_CONFIG", "canary");
    let error = home.look_up("test.io").await.unwrap_err();
    assert_eq!(error.to_string(), "$DOCKER_AUTH_CONFIG is not JSON");
    assert_eq!(error.hint(), Some("correct it, or go on without it: unset DOCKER_AUTH_CONFIG"));
    assert!(!everything(&error).contains("canary"));
}

#[cfg(unix)]
#[tokio::test]
async fn c01_what_is_no_readable_file_is_an_error_and_never_blocks() {
    use std::os::unix::fs::symlink;

    async fn cause(home: &Home) -> String {
        let error = home.look_up("test.io").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::File);
        assert!(error.to_string().ends_with(".docker/config.json cannot be read"), "{error}");
        std::error::Error::source(&error).unwrap().to_string()
    }
    let file = ".docker/config.json";

    let directory = Home::new();
    std::fs::create_dir_all(directory.path(file)).unwrap();
    assert_eq!(cause(&directory).await, "not a regular file");

    let fifo = Home::with_config("");
    std::fs::remove_file(fifo.path(file)).unwrap();
    let made = std::process::Command::new("mkfifo").arg(fifo.path(file)).status().unwrap();
    assert!(made.success());
    assert_eq!(cause(&fifo).await, "not a regular file");

    let dangling = Home::with_config("");
    std::fs::remove_file(dangling.path(file)).unwrap();
    symlink("nowhere", dangling.path(file)).unwrap();
    assert!(cause(&dangling).await.starts_with("No such file"));

    let large = Home::with_config("");
    std::fs::File::options().write(true).open(large.path(file)).unwrap().set_len(1 << 30).unwrap();
    assert_eq!(cause(&large).await, "larger than 4 MiB");

    // A link to a file is how many people keep theirs.
    let linked = Home::with_config("");
    std::fs::remove_file(linked.path(file)).unwrap();
    symlink(linked.write("elsewhere.json", one("linked")), linked.path(file)).unwrap();
    assert_eq!(linked.look_up("test.io").await.unwrap(), "linked / x");

    // A home that is no directory has no files.
    let nowhere = DockerConfig::new(&Environment::empty().home("/dev/null"));
    assert_eq!(look_up(&nowhere, "test.io").await.unwrap(), "nothing");
}

#[tokio::test]
async fn c02_utf16_is_named() {
    let utf16: Vec<u8> =
        [0xFF, 0xFE].into_iter().chain("{}".bytes().flat_map(|b| [b, 0])).collect();
    let home = Home::new();
    home.write(".docker/config.json", utf16);
    let error = home.look_up("test.io").await.unwrap_err();
    assert!(error.to_string().ends_with("config.json is UTF-16, not UTF-8"), "{error}");
}

#[tokio::test]
async fn one_file_can_be_used_alone() {
    let home = with_places("HX");
    let keychain = DockerConfig::file(home.path("x/containers/auth.json"), &home.environment);
    assert_eq!(look_up(&keychain, "test.io").await.unwrap(), "X / x");
    let chain = default_keychain_in(&home.environment);
    assert_eq!(look_up(&chain, "test.io").await.unwrap(), "H / x");
}

#[tokio::test]
async fn a_helper_is_asked_once_for_many_callers_at_once() {
    let home = Home::with_config(r#"{"credsStore":"echo"}"#).with_helpers(&["echo"]);
    let keychain = Arc::new(home.keychain());
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let keychain = Arc::clone(&keychain);
            tokio::spawn(async move { look_up(&*keychain, "test.io/a").await.unwrap() })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), "user-test.io / sec");
    }
    assert_eq!(home.asked(), ["test.io"]);
}

/// Answers with its name for one registry, is broken for another, and counts.
#[derive(Debug)]
struct Probe {
    registry: &'static str,
    broken: &'static str,
    asked: Arc<AtomicUsize>,
}

#[async_trait]
impl Keychain for Probe {
    async fn resolve(&self, resource: &Resource) -> Result<Option<Arc<dyn Authenticator>>, Error> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let registry = resource.registry();
        if registry.as_str() == self.broken {
            return Err(Error::source_failed("the probe", "out of order"));
        }
        let mine = registry.as_str() == self.registry;
        Ok(mine.then(|| Arc::new(Credential::basic("probe", self.registry)) as _))
    }
}

#[tokio::test]
async fn a_chain_takes_the_first_answer_and_stops_at_what_is_broken() {
    let asked = Arc::new(AtomicUsize::new(0));
    let chain = || {
        let count = Arc::clone(&asked);
        let fixed = Fixed::for_registry("one.io".parse().unwrap(), Credential::basic("fixed", "1"));
        Chain::new()
            .then(fixed)
            .then(Probe { registry: "two.io", broken: "broken.io", asked: count })
            .then(Fixed::for_registry("broken.io".parse().unwrap(), Credential::basic("last", "3")))
    };
    assert_eq!(look_up(&chain(), "one.io/a").await.unwrap(), "fixed / 1");
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    assert_eq!(look_up(&chain(), "two.io/a").await.unwrap(), "probe / two.io");
    assert_eq!(look_up(&chain(), "three.io").await.unwrap(), "nothing");
    let error = look_up(&chain(), "broken.io").await.unwrap_err();
    assert_eq!(error.to_string(), "the probe cannot give a credential");
    assert_eq!(look_up(&chain().skip_broken(), "broken.io").await.unwrap(), "last / 3");
    assert_eq!(look_up(&Chain::new(), "one.io").await.unwrap(), "nothing");
    let nested: Chain = [Arc::new(chain()) as Arc<dyn Keychain>].into_iter().collect();
    assert_eq!(look_up(&nested, "two.io").await.unwrap(), "probe / two.io");
}

#[tokio::test]
async fn fixed_is_for_its_registry_only_and_anonymous_for_all() {
    let hub = Fixed::for_registry("index.docker.io".parse().unwrap(), Credential::basic("a", "b"));
    assert_eq!(look_up(&hub, "docker.io").await.unwrap(), "a / b");
    assert_eq!(look_up(&hub, "docker.io/library/ubuntu").await.unwrap(), "a / b");
    assert_eq!(look_up(&hub, "docker.io:443/a/b").await.unwrap(), "nothing");
    assert_eq!(look_up(&hub, "ghcr.io").await.unwrap(), "nothing");
    assert_eq!(look_up(&Anonymous, "ghcr.io").await.unwrap(), "anonymous");
    let credential = Credential::RegistryToken("t".into());
    assert_eq!(credential.credential().await.unwrap(), credential);
}

#[tokio::test]
async fn refreshing_asks_again_when_the_answer_is_old() {
    let asked = Arc::new(AtomicUsize::new(0));
    let probe = || Probe { registry: "one.io", broken: "broken.io", asked: Arc::clone(&asked) };
    for (fresh, resolves) in [(Duration::ZERO, 4), (Duration::MAX, 1)] {
        asked.store(0, Ordering::Relaxed);
        let keychain = Refreshing::new(probe(), fresh);
        let one = keychain.resolve(&resource("one.io/a")).await.unwrap().unwrap();
        for _ in 0..3 {
            assert_eq!(show(&one.credential().await.unwrap()), "probe / one.io");
        }
        assert_eq!(asked.load(Ordering::Relaxed), resolves);
        assert!(keychain.resolve(&resource("two.io")).await.unwrap().is_none());
        assert!(keychain.resolve(&resource("broken.io")).await.is_err());
        assert!(!format!("{one:?}").contains("probe"));
    }
}

#[tokio::test]
async fn refreshing_counts_time_by_its_clock() {
    let asked = Arc::new(AtomicUsize::new(0));
    let probe = Probe { registry: "one.io", broken: "broken.io", asked: Arc::clone(&asked) };
    let clock = Clock::default();
    let now = clock.clone();
    let keychain = Refreshing::new(probe, Duration::from_secs(300)).clock(move || now.now());
    let held = keychain.resolve(&resource("one.io")).await.unwrap().unwrap();
    for _ in 0..9 {
        clock.pass(60);
        assert_eq!(show(&held.credential().await.unwrap()), "probe / one.io");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    // How old an answer is cannot be told by a clock that was set back.
    clock.set_back(3600);
    held.credential().await.unwrap();
    held.credential().await.unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_helper_is_asked_again_after_a_minute() {
    let (home, clock) = Home::with_config(r#"{"credsStore":"echo"}"#).with_clock();
    let home = home.with_helpers(&["echo"]);
    let keychain = home.keychain();
    for (seconds, asked) in [(0, 1), (59, 0), (1, 1), (30, 0), (30, 1)] {
        clock.pass(seconds);
        look_up(&keychain, "test.io").await.unwrap();
        assert_eq!(home.asked().len(), asked, "{seconds}");
    }
    clock.set_back(1);
    look_up(&keychain, "test.io").await.unwrap();
    assert_eq!(home.asked().len(), 1);
}

#[tokio::test]
async fn the_default_looks_again_after_a_minute_of_the_environments_clock() {
    let (home, clock) = with_places("H").with_clock();
    let keychain = default_keychain_in(&home.environment);
    let held = keychain.resolve(&resource("test.io")).await.unwrap().unwrap();
    home.write(".docker/config.json", one("new"));
    clock.pass(59);
    assert_eq!(show(&held.credential().await.unwrap()), "H / x");
    clock.pass(1);
    assert_eq!(show(&held.credential().await.unwrap()), "new / x");
}

#[tokio::test]
async fn a_logout_is_noticed_by_who_holds_an_authenticator() {
    let home = with_places("H");
    let keychain = Refreshing::new(home.keychain(), Duration::ZERO);
    let held = keychain.resolve(&resource("test.io")).await.unwrap().unwrap();
    assert_eq!(show(&held.credential().await.unwrap()), "H / x");
    home.write(".docker/config.json", one("new"));
    assert_eq!(show(&held.credential().await.unwrap()), "new / x");
    std::fs::remove_file(home.path(".docker/config.json")).unwrap();
    assert_eq!(show(&held.credential().await.unwrap()), "anonymous");
}

#[tokio::test]
async fn github_is_for_ghcr_io_and_nothing_that_looks_like_it() {
    let token = Environment::empty().var("GITHUB_TOKEN", "t");
    let both = token.clone().var("GITHUB_ACTOR", "me");
    for (environment, name, wanted) in [
        (&both, "ghcr.io", "me / t"),
        (&both, "GHCR.io/acme/app", "me / t"),
        (&token, "ghcr.io/acme/app", "unset / t"),
        (&both, "ghcr.io:443", "nothing"),
        (&both, "ghcr.io.example.com", "nothing"),
        (&both, "example.com/ghcr.io", "nothing"),
        (&Environment::empty().var("GITHUB_ACTOR", "me"), "ghcr.io", "nothing"),
        (&both.clone().var("GITHUB_TOKEN", ""), "ghcr.io", "nothing"),
    ] {
        assert_eq!(look_up(&GitHub::new(environment), name).await.unwrap(), wanted, "{name}");
    }
}

#[tokio::test]
async fn x04_no_debug_shows_a_secret() {
    let secret = "canary";
    let fixed = Fixed::for_registry("a.io".parse().unwrap(), Credential::basic("user", secret));
    let home = Home::with_config(r#"{"auths":{"test.io":{"username":"u","password":"canary"}}}"#)
        .var("DOCKER_AUTH_CONFIG", r#"{"auths":{"a.io":{"identitytoken":"canary"}}}"#);
    let resolved = home.keychain().resolve(&resource("test.io")).await.unwrap().unwrap();
    let all = format!(
        "{fixed:?} {:?} {:?} {resolved:?} {:?} {:?}",
        Chain::new().then(fixed.clone()),
        home.keychain(),
        home.environment,
        [Secret::new(secret), Secret::from(secret.to_owned())],
    );
    assert!(!all.contains(secret), "{all}");
    assert!(all.contains("DOCKER_AUTH_CONFIG") && all.contains("user"), "{all}");
}
