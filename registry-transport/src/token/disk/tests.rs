use std::time::Instant;

use crate::clock::SystemClock;
use crate::token::Token;

use super::*;

const START: Duration = Duration::from_secs(1_700_000_000);

/// A clock that is set, so that nothing here waits.
#[derive(Debug)]
struct At(SystemTime);

#[async_trait]
impl Clock for At {
    fn now(&self) -> Instant {
        SystemClock.now() + Duration::from_secs(100_000)
    }

    fn time_of_day(&self) -> SystemTime {
        self.0
    }

    async fn sleep(&self, _: Duration) {}
}

/// A file in a directory of its own, and what is put into it.
struct Fixture {
    directory: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("below/tokens.json")
    }

    /// As another process sees it.
    fn cache(&self) -> TokenCache {
        TokenCache::at(self.path())
    }

    async fn keep(&self, scopes: &str, password: &str, expires_in: u64) {
        let token = Token { expires_in: Some(expires_in), ..Token::new("canary-token") };
        let held = Held::new(&token, Instant::now()).unwrap();
        let me = Credential::basic("me", password);
        self.cache().keep(&key(scopes), &me, &held, at(0)).await;
    }

    async fn finds(&self, scopes: &str, password: &str, after: i64) -> bool {
        let me = Credential::basic("me", password);
        self.cache().find(&key(scopes), &me, &At(at(after))).await.is_some()
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }
}

fn at(seconds: i64) -> SystemTime {
    let start = UNIX_EPOCH + START;
    let by = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { start - by } else { start + by }
}

fn key(scopes: &str) -> Key {
    Key { realm: "https://t/".into(), service: None, scopes: scopes.parse().unwrap(), who: 1 }
}

#[tokio::test]
async fn another_process_finds_a_token_for_the_same_credential_and_covered_scopes() {
    let it = Fixture::new();
    it.keep("repository:a:push,pull", "password", 300).await;
    for (scopes, password, found) in [
        ("repository:a:pull", "password", true),
        ("repository:a:push,pull", "password", true),
        ("repository:a:delete", "password", false),
        ("repository:b:pull", "password", false),
        ("", "password", false),
        ("repository:a:pull", "another", false),
    ] {
        assert_eq!(it.finds(scopes, password, 1).await, found, "{scopes} {password}");
    }
    // No credential, no name and no realm is in it.
    for secret in ["password", "\"me\"", "https://t/"] {
        assert!(!it.text().contains(secret), "{}", it.text());
    }
}

#[tokio::test]
async fn x06_a_token_never_lives_longer_than_it_may_whatever_the_clock_does() {
    let it = Fixture::new();
    it.keep("repository:a:pull", "password", 300).await;
    for (after, found) in
        [(0, true), (269, true), (271, false), (400, false), (-1, false), (-100_000, false)]
    {
        assert_eq!(it.finds("repository:a:pull", "password", after).await, found, "{after}");
    }
    it.keep("repository:b:pull", "password", 0).await;
    assert!(!it.finds("repository:b:pull", "password", 0).await, "not to be kept");
    // What it says of its age is what is left of it.
    let me = Credential::basic("me", "password");
    let clock = At(at(200));
    let held = it.cache().find(&key("repository:a:pull"), &me, &clock).await.unwrap();
    assert!(held.stored && held.is_fresh(clock.now() + Duration::from_secs(60), Duration::ZERO));
    assert!(!held.is_fresh(clock.now() + Duration::from_secs(75), Duration::ZERO));
}

#[tokio::test]
async fn a_token_that_was_refused_is_forgotten_by_all() {
    let it = Fixture::new();
    it.keep("repository:a:pull", "password", 300).await;
    let other = it.cache();
    other.forget(&Secret::new("something else"), at(1)).await;
    assert!(it.finds("repository:a:pull", "password", 1).await);
    other.forget(&Secret::new("canary-token"), at(1)).await;
    assert!(!it.finds("repository:a:pull", "password", 1).await);
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_replaced() {
    for broken in ["", "{", "[]", "{\"version\":2}", "\0\0\0", &"x".repeat(5 << 20)] {
        let it = Fixture::new();
        it.keep("repository:a:pull", "password", 300).await;
        let salt = it.text();
        std::fs::write(it.path(), broken).unwrap();
        assert!(!it.finds("repository:a:pull", "password", 1).await);
        it.keep("repository:a:pull", "password", 300).await;
        assert!(it.finds("repository:a:pull", "password", 1).await);
        assert_ne!(it.text(), salt, "every file has a salt of its own");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn others_can_not_read_it_and_what_they_could_read_is_not_used() {
    use std::os::unix::fs::PermissionsExt as _;
    let it = Fixture::new();
    it.keep("repository:a:pull", "password", 300).await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&it.path()), 0o600);
    assert_eq!(mode(it.path().parent().unwrap()), 0o700);
    std::fs::set_permissions(it.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(!it.finds("repository:a:pull", "password", 1).await);
    it.keep("repository:a:pull", "password", 300).await;
    assert_eq!(mode(&it.path()), 0o600);
}

#[tokio::test]
async fn it_is_bounded_and_keeps_the_newest() {
    let it = Fixture::new();
    let mut document = Document::new(&[7; 32]);
    let me = Credential::Anonymous;
    let long = Secret::new("x".repeat(8 << 10));
    for n in 0..300_u64 {
        let key = key(&format!("repository:r{n}:pull"));
        document.keep(&key, &me, long.clone(), 3600, 1000 + n);
        let line = format!("Bearer realm=\"https://t{n}/{}\"", "x".repeat(900));
        let challenge = Challenge::parse_all([line.as_bytes()]).remove(0);
        document.learn(&format!("r{n}.example").parse().unwrap(), challenge, 1000 + n);
    }
    let found = |n: u64| document.find(&key(&format!("repository:r{n}:pull")), &me, 1300);
    assert!(found(299).is_some() && found(44).is_some() && found(43).is_none());
    let size = serde_json::to_vec(&document).unwrap().len();
    assert!(size < 4 << 20, "{size}");
    document.keep(&key("repository:big:pull"), &me, Secret::new("x".repeat(9 << 10)), 60, 1300);
    assert!(document.find(&key("repository:big:pull"), &me, 1300).is_none());
    drop(it);
}

#[tokio::test]
async fn processes_that_write_at_the_same_time_lose_nothing() {
    let it = Fixture::new();
    let scopes: Vec<String> = (0..20).map(|n| format!("repository:r{n}:pull")).collect();
    let writes = scopes.iter().map(|scopes| it.keep(scopes, "password", 300));
    futures_util::future::join_all(writes).await;
    for scopes in &scopes {
        assert!(it.finds(scopes, "password", 1).await, "{scopes}");
    }
}

#[tokio::test]
async fn what_a_registry_wants_is_kept_without_what_it_said_in_passing() {
    let it = Fixture::new();
    let registry: Registry = "r.example".parse().unwrap();
    let line = br#"Bearer realm="https://t/",service="s",scope="repository:a:pull",error="x""#;
    let challenge = Challenge::parse_all([line.as_slice()]).remove(0);
    it.cache().learn(&registry, &challenge, at(0)).await;
    let known = it.cache().challenge(&registry, at(1)).await.unwrap();
    let known: Vec<_> = known.parameters().collect();
    assert_eq!(known, [("realm", "https://t/"), ("service", "s")]);
    assert!(it.cache().challenge(&"other.example".parse().unwrap(), at(1)).await.is_none());
    assert!(it.cache().challenge(&registry, at(8 * 24 * 60 * 60)).await.is_none());
    it.cache().wipe().unwrap();
    it.cache().wipe().unwrap();
    assert!(it.cache().challenge(&registry, at(1)).await.is_none());
}
