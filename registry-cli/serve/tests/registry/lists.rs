//! Tags, the catalog, referrers.

use crate::client::{Client, OCI_INDEX, both, both_with, error, image, sha256};
use serde_json::json;

const EMPTY: &str = r#"{"manifests":[]}"#;

/// Follows `Link` from page to page, and returns what each page held.
async fn pages(client: Client, first: &str, field: &str) -> Vec<serde_json::Value> {
    let (mut found, mut next) = (Vec::new(), Some(first.to_owned()));
    while let Some(target) = next {
        let answer = client.get(&target).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        found.push(answer.json()[field].clone());
        next = answer.header("link").map(|link| {
            let target =
                link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\""));
            target.unwrap_or_else(|| panic!("{link}")).to_owned()
        });
    }
    found
}

#[tokio::test]
async fn tags_are_sorted_by_their_bytes_and_come_in_pages() {
    both(async |client| {
        for tag in ["b", "a", "C", "v1.10", "v1.9", "_x"] {
            client.push_manifest("team/app", tag, EMPTY).await;
        }
        let all = json!(["C", "_x", "a", "b", "v1.10", "v1.9"]);
        let list = "/v2/team/app/tags/list";
        let answer = client.get(list).await;
        assert_eq!(answer.json(), json!({ "name": "team/app", "tags": all }));
        assert_eq!(answer.header("link"), None);
        assert_eq!(
            pages(client, &format!("{list}?n=4"), "tags").await,
            [json!(["C", "_x", "a", "b"]), json!(["v1.10", "v1.9"])]
        );
        assert_eq!(pages(client, &format!("{list}?n=6"), "tags").await, [all], "no empty page");
        let get =
            async |query: &str| client.get(&format!("{list}?{query}")).await.json()["tags"].clone();
        assert_eq!(get("last=b").await, json!(["v1.10", "v1.9"]));
        assert_eq!(get("last=aaa&n=1").await, json!(["b"]), "last need not exist");
        assert_eq!(get("last=zzz").await, json!([]));
        assert_eq!(get("n=99999999999999999999999").await.as_array().map(Vec::len), Some(6));
        let none = client.get(&format!("{list}?n=0")).await;
        assert_eq!((none.json()["tags"].clone(), none.header("link")), (json!([]), None));
        for bad in ["n=-1", "n=x", "n="] {
            assert_eq!(client.get(&format!("{list}?{bad}")).await.status, 400, "{bad}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_repository_without_tags_has_an_empty_list() {
    both(async |client| {
        client.push_blob("a", "x").await;
        assert_eq!(client.get("/v2/a/tags/list").await.json(), json!({ "name": "a", "tags": [] }));
    })
    .await;
}

#[tokio::test]
async fn the_catalog_lists_what_was_pushed_to() {
    both(async |client| {
        assert_eq!(client.get("/v2/_catalog").await.json(), json!({ "repositories": [] }));
        for name in ["team/app", "team", "team-b", "team/app/deep", "x"] {
            client.push_manifest(name, "v1", EMPTY).await;
        }
        client.begin("only/begun").await;
        let all = ["team", "team-b", "team/app", "team/app/deep", "x"];
        assert_eq!(client.get("/v2/_catalog").await.json()["repositories"], json!(all));
        assert_eq!(
            pages(client, "/v2/_catalog?n=2", "repositories").await,
            [json!(all[..2]), json!(all[2..4]), json!(all[4..])]
        );
    })
    .await;
}

#[tokio::test]
async fn referrers_are_listed_with_type_and_annotations() {
    both(async |client| {
        let subject = sha256("a subject that does not exist");
        let config = client.push_blob("a", "{}").await;
        let descriptor = format!(r#"{{"mediaType":"x/y","digest":"{subject}","size":9}}"#);
        let typed = format!(
            r#","artifactType":"application/sbom","subject":{descriptor},"annotations":{{"k":"v"}}"#
        );
        let sbom = image(&config, 2, &[], &typed);
        let target = "/v2/a/manifests/sbom";
        let answer = client.send("PUT", target, &[], &sbom).await;
        assert_eq!(answer.header("oci-subject"), Some(subject.as_str()));
        let plain = image(&config, 2, &[], &format!(r#","subject":{descriptor}"#));
        client.push_manifest("a", &sha256(&plain), &plain).await;
        let index = format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[],"subject":{descriptor}}}"#);
        client.push_manifest("a", &sha256(&index), &index).await;
        client.push_image("a", "unrelated", "layer").await;

        let list = format!("/v2/a/referrers/{subject}");
        let answer = client.get(&list).await;
        assert_eq!(answer.header("content-type"), Some(OCI_INDEX));
        assert_eq!(answer.header("oci-filters-applied"), None);
        let document = answer.json();
        assert_eq!((&document["schemaVersion"], &document["mediaType"]), (&json!(2), &json!(OCI_INDEX)));
        let entries = document["manifests"].as_array().cloned().unwrap_or_default();
        let of = |manifest: &str| {
            let digest = sha256(manifest);
            entries.iter().find(|entry| entry["digest"] == digest.as_str()).cloned().expect("listed")
        };
        assert_eq!(entries.len(), 3);
        assert_eq!(
            of(&sbom),
            json!({ "mediaType": crate::client::OCI_MANIFEST, "digest": sha256(&sbom), "size": sbom.len(),
                    "artifactType": "application/sbom", "annotations": { "k": "v" } })
        );
        assert_eq!(of(&plain)["artifactType"], "application/vnd.oci.image.config.v1+json");
        assert!(of(&index).get("artifactType").is_none(), "an index has no config to take it from");

        let filtered = client.get(&format!("{list}?artifactType=application%2Fsbom")).await;
        assert_eq!(filtered.header("oci-filters-applied"), Some("artifactType"));
        assert_eq!(filtered.json()["manifests"], json!([of(&sbom)]));

        assert_eq!(client.delete(&format!("/v2/a/manifests/{}", sha256(&sbom))).await.status, 202);
        let left = client.get(&list).await.json()["manifests"].as_array().map(Vec::len);
        assert_eq!(left, Some(2));
    })
    .await;
}

#[tokio::test]
async fn a_registry_may_set_the_size_of_pages_itself() {
    let two = std::num::NonZeroUsize::new(2).expect("not zero");
    both_with(
        |builder| builder.page_limit(two),
        async |client| {
            let subject = sha256("subject");
            for n in 0..5 {
                let manifest = format!(
                    r#"{{"manifests":[],"n":{n},"artifactType":"a/{}","subject":{{"digest":"{subject}","size":1}}}}"#,
                    if n == 0 { "other" } else { "b" }
                );
                client.push_manifest("app", &format!("v{n}"), &manifest).await;
            }
            let tags = [json!(["v0", "v1"]), json!(["v2", "v3"]), json!(["v4"])];
            for query in ["", "?n=10", "?n=2"] {
                let list = format!("/v2/app/tags/list{query}");
                assert_eq!(pages(client, &list, "tags").await, tags, "{query}");
            }
            for (query, sizes) in [("", vec![2, 2, 1]), ("?artifactType=a/b", vec![2, 2])] {
                let list = format!("/v2/app/referrers/{subject}{query}");
                let pages = pages(client, &list, "manifests").await;
                let found: Vec<_> =
                    pages.iter().map(|page| page.as_array().map(Vec::len).unwrap_or_default()).collect();
                assert_eq!(found, sizes, "{query}");
                let mut digests: Vec<_> = pages
                    .iter()
                    .flat_map(|page| page.as_array().cloned().unwrap_or_default())
                    .map(|entry| entry["digest"].to_string())
                    .collect();
                digests.dedup();
                assert_eq!(digests.len(), sizes.iter().sum::<usize>(), "each of them once");
            }
        },
    )
    .await;
}

#[tokio::test]
async fn referrers_come_in_pages_that_are_not_larger_than_a_manifest() {
    both_with(
        |builder| builder.manifest_limit(1000),
        async |client| {
            let subject = sha256("subject");
            for n in 0..4 {
                let manifest = format!(
                    r#"{{"manifests":[],"subject":{{"digest":"{subject}","size":1}},"annotations":{{"{n}":"{}"}}}}"#,
                    "x".repeat(300)
                );
                client.push_manifest("app", &format!("v{n}"), &manifest).await;
            }
            let pages = pages(client, &format!("/v2/app/referrers/{subject}"), "manifests").await;
            let sizes: Vec<_> = pages.iter().map(|page| page.as_array().map(Vec::len)).collect();
            assert_eq!(sizes, [Some(2), Some(2)]);
        },
    )
    .await;
}

#[tokio::test]
async fn nothing_refers_to_what_nobody_knows() {
    both(async |client| {
        let answer = client.get(&format!("/v2/none/referrers/{}", sha256("x"))).await;
        assert_eq!((answer.status, answer.json()["manifests"].clone()), (200, json!([])));
        let bad = client.get("/v2/none/referrers/sha256:short").await;
        assert_eq!(bad.error(), error(400, "DIGEST_INVALID"));
    })
    .await;
}
