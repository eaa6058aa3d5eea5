use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;

use super::*;
use crate::error::ErrorKind;
use crate::token::Token;

fn key(scopes: &str, who: u64) -> Key {
    Key { realm: "https://t/".into(), service: None, scopes: scopes.parse().unwrap(), who }
}

fn token(text: &str) -> Held {
    Held::new(&Token::new(text), Instant::now()).unwrap()
}

/// A cache, and a count of what it had to fetch.
#[derive(Default)]
struct Fixture {
    cache: Arc<Cache>,
    fetches: Arc<AtomicUsize>,
}

impl Fixture {
    /// Fetches `text` after everyone else had a chance to ask as well.
    async fn get(&self, key: &Key, now: Instant, text: Option<&str>) -> Result<bool, Error> {
        let fetches = Arc::clone(&self.fetches);
        let token = text.map(token).ok_or_else(|| Error::new(ErrorKind::TokenRefused, "no"));
        let fetch = || async move {
            fetches.fetch_add(1, Ordering::Relaxed);
            // Each of those who wait moves it on.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            token
        };
        self.cache.get(key, now, Duration::ZERO, fetch).await.map(|(_, remembered)| remembered)
    }

    fn count(&self) -> usize {
        self.fetches.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn everyone_who_waits_shares_one_token_or_one_failure() {
    // A16, A24
    for text in [Some("a"), None] {
        let it = Fixture::default();
        let key = key("repository:a:pull", 1);
        let get = || it.get(&key, Instant::now(), text);
        let answers = join_all((0..10).map(|_| get())).await;
        assert_eq!(it.count(), 1);
        assert!(answers.iter().all(|answer| answer.is_ok() == text.is_some()));
        // A failure is not remembered beyond those who waited for it; a token is.
        get().await.ok();
        assert_eq!(it.count(), if text.is_some() { 1 } else { 2 });
    }
}

#[tokio::test]
async fn a_fetch_outlives_each_caller_and_ends_with_the_last() {
    let it = Fixture::default();
    let key = key("repository:a:pull", 1);
    let get = || Box::pin(it.get(&key, Instant::now(), Some("a")));
    let (mut first, mut second) = (get(), get());
    assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
    drop(first);
    assert!(second.await.is_ok());
    assert_eq!(it.count(), 1);

    it.cache.forget(&key, &token("a"));
    let mut only = get();
    assert!(only.as_mut().now_or_never().is_none());
    drop(only);
    assert!(it.cache.lock()[&key].in_flight().is_none(), "nobody waits, so nothing is under way");
    get().await.unwrap();
    assert_eq!(it.count(), 3);
}

#[tokio::test]
async fn a_token_serves_its_own_credential_and_what_its_scopes_cover() {
    let it = Fixture::default();
    for (scopes, who, want) in [
        ("repository:a:push,pull", 1, 1),
        ("repository:a:pull", 1, 1),
        ("repository:a:delete", 1, 2),
        ("repository:b:pull", 1, 3),
        ("repository:a:pull", 2, 4),
        ("", 1, 5),
        ("", 1, 5),
    ] {
        it.get(&key(scopes, who), Instant::now(), Some("t")).await.unwrap();
        assert_eq!(it.count(), want, "{scopes:?} for {who}");
    }
}

#[tokio::test]
async fn only_the_token_that_was_refused_is_forgotten() {
    // A15
    let it = Fixture::default();
    let key = key("repository:a:pull", 1);
    it.get(&key, Instant::now(), Some("new")).await.unwrap();
    it.cache.forget(&key, &token("old"));
    assert!(it.get(&key, Instant::now(), Some("newer")).await.unwrap());
    it.cache.forget(&key, &token("new"));
    assert!(!it.get(&key, Instant::now(), Some("newer")).await.unwrap());
}

#[tokio::test]
async fn a_crowd_of_stale_tokens_is_thrown_out() {
    let it = Fixture::default();
    let now = Instant::now();
    for n in 0..CROWDED as u64 {
        it.get(&key("", n), now, Some("t")).await.unwrap();
    }
    let later = now + Duration::from_secs(3600);
    it.get(&key("", CROWDED as u64), later, Some("t")).await.unwrap();
    assert_eq!(it.cache.lock().len(), 1);
}
