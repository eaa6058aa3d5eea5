//! What each user may do.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use registry_serve::{Access, Bearer, Rights, Users};

use crate::client::{Answer, Client, both_with, error, sha256};

fn users() -> Users {
    let users: Users = [("reader", "r"), ("writer", "w"), ("admin", "a")].into_iter().collect();
    users
        .with_rights("reader", Rights::PULL)
        .with_rights("writer", Rights::PUSH.and(Rights::CATALOG))
}

async fn with(client: Client, method: &str, target: &str, authorization: &str) -> Answer {
    client.send(method, target, &[("Authorization", authorization)], "").await
}

fn basic(name: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{}", &name[..1])))
}

/// What reader, writer and admin get for a push, a pull, the catalog and a delete.
const ALLOWED: [(&str, [bool; 4]); 3] = [
    ("reader", [false, true, false, false]),
    ("writer", [true, true, true, false]),
    ("admin", [true, true, true, true]),
];

fn requests() -> [(&'static str, String, u16); 4] {
    let digest = sha256("");
    [
        ("POST", format!("/v2/a/blobs/uploads/?digest={digest}"), 201),
        ("GET", format!("/v2/a/blobs/{digest}"), 200),
        ("GET", "/v2/_catalog".to_owned(), 200),
        ("DELETE", format!("/v2/a/blobs/{digest}"), 202),
    ]
}

#[tokio::test]
async fn with_basic_a_user_does_what_the_rights_allow() {
    both_with(
        |builder| builder.auth(Access::Basic(users())),
        async |client| {
            let [push, ..] = requests();
            assert_eq!(with(client, push.0, &push.1, &basic("admin")).await.status, push.2);
            for (user, allowed) in ALLOWED {
                for ((method, target, status), allowed) in requests().into_iter().zip(allowed) {
                    let answer = with(client, method, &target, &basic(user)).await;
                    if allowed {
                        assert_eq!(answer.status, status, "{user} {method} {target}");
                    } else {
                        assert_eq!(answer.error(), error(403, "DENIED"), "{user} {method}");
                    }
                }
            }
        },
    )
    .await;
}

#[tokio::test]
async fn a_token_allows_no_more_than_its_user() {
    both_with(
        |builder| builder.auth(Bearer::new(users())),
        async |client| {
            let token = async |user: &str| {
                let target = "/token?scope=repository:a:*&scope=registry:catalog:*&offline_token=true";
                let answer = with(client, "GET", target, &basic(user)).await.json();
                let text = |key: &str| answer[key].as_str().expect("a token").to_owned();
                (format!("Bearer {}", text("token")), text("refresh_token"))
            };
            let (admin, _) = token("admin").await;
            let [push, ..] = requests();
            assert_eq!(with(client, push.0, &push.1, &admin).await.status, push.2);
            for (user, allowed) in ALLOWED {
                let (token, refresh) = token(user).await;
                let form = format!(
                    "grant_type=refresh_token&refresh_token={refresh}&scope=repository:a:*+registry:catalog:*"
                );
                let again = client.send("POST", "/token", &[], form).await.json();
                let again = format!("Bearer {}", again["token"].as_str().expect("a token"));
                for ((method, target, status), allowed) in requests().into_iter().zip(allowed) {
                    for token in [&token, &again] {
                        let answer = with(client, method, &target, token).await;
                        let expected = if allowed { status } else { 401 };
                        // The admin's second delete has nothing left to delete.
                        let gone = method == "DELETE" && answer.status == 404 && allowed;
                        assert!(answer.status == expected || gone, "{user} {method}: {answer:?}");
                    }
                }
            }
        },
    )
    .await;
}

#[tokio::test]
async fn a_user_of_an_htpasswd_file_is_let_in() {
    let hash = bcrypt::hash("wonder:land", 4).expect("a hash");
    let users = Users::htpasswd(&format!("alice:{hash}\n")).expect("a file");
    assert!(users.contains("alice") && !users.contains("bob"));
    for access in [Access::Basic(users.clone()), Access::Bearer(Bearer::new(users))] {
        let bearer = matches!(access, Access::Bearer(_));
        both_with(
            |builder| builder.auth(access.clone()),
            async |client| {
                let target = if bearer { "/token" } else { "/v2/" };
                for (user, status) in
                    [("alice:wonder:land", 200), ("alice:x", 401), ("bob:wonder:land", 401)]
                {
                    let header = format!("Basic {}", STANDARD.encode(user));
                    for _ in 0..2 {
                        assert_eq!(with(client, "GET", target, &header).await.status, status);
                    }
                }
            },
        )
        .await;
    }
}
