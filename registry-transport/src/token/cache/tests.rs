use std::sync::atomic::AtomicUsize;

use futures_util::future::join_all;

use super::*;
use crate::error::ErrorKind;
use crate::token::parse;

fn key(scopes: &str, who: u64) -> Key {
    Key { realm: "https://t/".into(), service: None, scopes: scopes.parse().unwrap(), who }
}

fn token(text: &str) -> Token {
    parse(format!(r#"{{"token":"{text}"}}"#).as_bytes(), Instant::now()).unwrap()
}

/// Fetches `text` after everyone else had a chance to ask as well.
async fn fetch(fetches: &AtomicUsize, text: Result<&str, ()>) -> Result<Token, Error> {
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
    fetches.fetch_add(1, Ordering::Relaxed);
    text.map(token).map_err(|()| Error::new(ErrorKind::TokenRefused, "no"))
}

#[tokio::test]
async fn everyone_who_waits_shares_one_token_or_one_failure() {
    // A16, A24
    for text in [Ok("a"), Err(())] {
        let (cache, fetches) = (Cache::default(), AtomicUsize::new(0));
        let key = key("repository:a:pull", 1);
        let get = || cache.get(&key, Instant::now, fetch(&fetches, text));
        let answers = join_all((0..10).map(|_| get())).await;
        assert_eq!(fetches.load(Ordering::Relaxed), 1);
        assert!(answers.iter().all(|answer| answer.is_ok() == text.is_ok()));
        // A failure is not remembered beyond those who waited for it; a token is.
        get().await.ok();
        assert_eq!(fetches.load(Ordering::Relaxed), if text.is_ok() { 1 } else { 2 });
    }
}

#[tokio::test]
async fn a_token_serves_its_own_credential_and_what_its_scopes_cover() {
    let (cache, fetches) = (Cache::default(), AtomicUsize::new(0));
    for (scopes, who, want) in [
        ("repository:a:push,pull", 1, 1),
        ("repository:a:pull", 1, 1),
        ("repository:a:delete", 1, 2),
        ("repository:b:pull", 1, 3),
        ("repository:a:pull", 2, 4),
        ("", 1, 5),
        ("", 1, 5),
    ] {
        cache.get(&key(scopes, who), Instant::now, fetch(&fetches, Ok("t"))).await.unwrap();
        assert_eq!(fetches.load(Ordering::Relaxed), want, "{scopes:?} for {who}");
    }
}

#[tokio::test]
async fn only_the_token_that_was_refused_is_forgotten() {
    // A15
    let (cache, fetches) = (Cache::default(), AtomicUsize::new(0));
    let key = key("repository:a:pull", 1);
    cache.get(&key, Instant::now, fetch(&fetches, Ok("new"))).await.unwrap();
    cache.forget(&key, &token("old")).await;
    cache.get(&key, Instant::now, fetch(&fetches, Ok("newer"))).await.unwrap();
    assert_eq!(fetches.load(Ordering::Relaxed), 1);
    cache.forget(&key, &token("new")).await;
    cache.get(&key, Instant::now, fetch(&fetches, Ok("newer"))).await.unwrap();
    assert_eq!(fetches.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_crowd_of_stale_tokens_is_thrown_out() {
    let (cache, fetches) = (Cache::default(), AtomicUsize::new(0));
    let now = Instant::now();
    for n in 0..=CROWDED as u64 {
        let later = now + std::time::Duration::from_secs(n * 3600);
        cache.get(&key("", n), || later, fetch(&fetches, Ok("t"))).await.unwrap();
    }
    assert!(cache.0.lock().unwrap().len() <= 2);
}
