//! Who may not pull does not see.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use registry_serve::{Access, Bearer, Builder, Rights, Users};

use crate::client::{Answer, Client, both_with, sha256};
use crate::pages::text;

const USERS: [(&str, &str); 1] = [("alice", "secret")];

async fn get_as(client: Client, target: &str, user: &str) -> Answer {
    client.send("GET", target, &[("Authorization", &basic(user))], "").await
}

fn basic(user: &str) -> String {
    format!("Basic {}", STANDARD.encode(user))
}

fn refused(answer: &Answer, target: &str) {
    assert_eq!(answer.status, 401, "{target}");
    let challenge = answer.header("www-authenticate").expect("a challenge");
    assert!(challenge.starts_with("Basic realm="), "{target}: {challenge}");
    assert!(text(answer).contains("<h1>Sign in</h1>"), "{target}");
}

#[tokio::test]
async fn name_and_password_open_the_pages_whether_the_api_wants_them_or_tokens() {
    let ways: [fn(Builder) -> Builder; 2] = [
        |builder| builder.auth(Access::basic(USERS)),
        |builder| builder.auth(Access::bearer(USERS)),
    ];
    for way in ways {
        both_with(way, async |client| {
            for target in ["/", "/ui/r/a", "/ui/r/a:v1", "/ui/nothing"] {
                refused(&client.get(target).await, target);
                refused(&get_as(client, target, "alice:wrong").await, target);
                let expected = if target == "/" { 200 } else { 404 };
                let answer = get_as(client, target, "alice:secret").await;
                assert_eq!(answer.status, expected, "{target}");
            }
            // What is the same for everybody is open to everybody.
            assert_eq!(client.get("/ui/style.css").await.status, 200);
            // The API keeps its own way.
            let answer = client.get("/v2/_catalog").await;
            assert_eq!(answer.status, 401);
        })
        .await;
    }
}

#[tokio::test]
async fn who_may_pull_without_a_name_sees_what_can_be_pulled_but_no_list_of_repositories() {
    let users: Users = USERS.into_iter().collect();
    let access = Bearer::new(users).anonymous_pull(true);
    both_with(
        |builder| builder.auth(access.clone()),
        async |client| {
            for target in ["/ui/r/a", "/ui/r/a:v1"] {
                assert_eq!(client.get(target).await.status, 404, "{target}");
            }
            refused(&client.get("/").await, "/");
            refused(&get_as(client, "/ui/r/a", "alice:wrong").await, "/ui/r/a");
            assert_eq!(get_as(client, "/", "alice:secret").await.status, 200);
        },
    )
    .await;
}

#[tokio::test]
async fn a_user_sees_what_the_api_would_tell() {
    let users = || {
        let names = ["puller", "lister", "pusher"].map(|name| (name, "secret"));
        let users: Users = names.into_iter().collect();
        users.with_rights("puller", Rights::PULL).with_rights("lister", Rights::CATALOG)
    };
    for access in [Access::Basic(users()), Access::Bearer(Bearer::new(users()))] {
        both_with(
            |builder| builder.auth(access.clone()),
            async |client| {
                let push = [("Authorization", &*basic("pusher:secret"))];
                if matches!(access, Access::Basic(_)) {
                    let target = "/v2/hidden/blobs/uploads/?digest=".to_owned() + &sha256("layer");
                    assert_eq!(client.send("POST", &target, &push, "layer").await.status, 201);
                }
                for (user, list, repository) in
                    [("puller", 403, 404), ("lister", 200, 403), ("pusher", 200, 404)]
                {
                    let user = format!("{user}:secret");
                    assert_eq!(get_as(client, "/", &user).await.status, list, "{user}");
                    assert_eq!(get_as(client, "/ui/r/a", &user).await.status, repository, "{user}");
                }
                let page = text(&get_as(client, "/", "lister:secret").await);
                assert!(!page.contains("hidden"), "{page}");
                if matches!(access, Access::Basic(_)) {
                    let page = text(&get_as(client, "/", "pusher:secret").await);
                    assert!(page.contains("href=\"/ui/r/hidden\""), "{page}");
                }
            },
        )
        .await;
    }
}
