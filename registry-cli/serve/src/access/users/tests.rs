use super::*;

/// Cost 4, the least there is, for the password `wonderland`.
fn users() -> Users {
    let hash = bcrypt::hash("wonderland", 4).expect("a hash");
    Users::htpasswd(&format!("# people\n\nalice:{hash}\nbob:{hash}\n")).expect("a file")
}

#[tokio::test]
async fn bcrypt_passwords_are_verified_once_and_then_remembered() {
    let users = users().with_rights("bob", Rights::PULL);
    assert_eq!(users.verify("alice", "Wonderland").await, None);
    assert_eq!(users.verify("mallory", "wonderland").await, None);
    assert_eq!(users.verify("alice", "wonderland").await, Some(Rights::ALL));
    // Nobody could hash anything now.
    let turns = u32::try_from(AT_ONCE).expect("small");
    let all = users.verified.at_once.acquire_many(turns).await.expect("open");
    assert_eq!(users.verify("alice", "wonderland").await, Some(Rights::ALL));
    drop(all);
    assert_eq!(users.verify("bob", "wonderland").await, Some(Rights::PULL));
    assert_eq!(users.verify("alice", "Wonderland").await, None);
}

#[tokio::test]
async fn what_is_remembered_has_a_bound() {
    let users = users();
    for number in 0..REMEMBERED {
        let key: [u8; 32] = Sha256::digest(number.to_string()).into();
        users.verified.known.lock().expect("not poisoned").insert(key);
    }
    assert!(users.verify("alice", "wonderland").await.is_some());
    assert!(users.verified.known.lock().expect("not poisoned").len() <= REMEMBERED);
}

#[test]
fn only_bcrypt_is_taken_from_a_file() {
    let hash = bcrypt::hash("x", 4).expect("a hash");
    for (text, error) in [
        ("alice", HtpasswdError::Shape { line: 1 }),
        ("# a comment\nalice:plain", HtpasswdError::Hash { line: 2 }),
        ("alice:$apr1$abcdefgh$0123456789012345678901", HtpasswdError::Hash { line: 1 }),
        ("alice:{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=", HtpasswdError::Hash { line: 1 }),
        (&format!("alice:{}", &hash[..59]), HtpasswdError::Hash { line: 1 }),
    ] {
        assert_eq!(Users::htpasswd(text).expect_err(text), error);
        assert!(!error.to_string().contains("plain"), "no part of a password is repeated");
    }
    assert!(!format!("{:?}", users()).contains("$2"), "no hash in a log");
}
