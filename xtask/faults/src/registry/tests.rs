use super::*;

fn request(method: &str, target: &str) -> Request {
    Request {
        method: method.into(),
        target: target.into(),
        body_complete: true,
        ..Request::default()
    }
}

fn with_header(mut request: Request, name: &str, value: &str) -> Request {
    request.headers.push((name.to_owned(), value.to_owned()));
    request
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn stocked() -> (Registry, Image) {
    let image = Image::small();
    (Registry::new().with_image("real/app", "v1", &image), image)
}

#[test]
fn a_manifest_is_found_by_tag_and_by_digest() {
    let (mut registry, image) = stocked();
    for reference in ["v1", &image.manifest.digest] {
        let answer =
            registry.answer(&request("GET", &format!("/v2/real/app/manifests/{reference}")));
        assert_eq!((answer.status, answer.body), (200, image.manifest.bytes.clone()));
    }
    assert_eq!(registry.answer(&request("GET", "/v2/real/app/manifests/v2")).status, 404);
}

#[test]
fn a_range_is_answered_with_exactly_its_bytes() {
    let (mut registry, image) = stocked();
    let layer = image.last_layer();
    let target = format!("/v2/real/app/blobs/{}", layer.digest);
    let total = layer.bytes.len();
    let ask = |range: &str| with_header(request("GET", &target), "Range", range);

    let answer = registry.answer(&ask("bytes=10-19"));
    assert_eq!((answer.status, &answer.body), (206, &layer.bytes.slice(10..20)));
    assert_eq!(header(&answer, "Content-Range"), Some(&*format!("bytes 10-19/{total}")));
    let answer = registry.answer(&ask("bytes=100-"));
    assert_eq!((answer.status, &answer.body), (206, &layer.bytes.slice(100..)));
    assert_eq!(registry.answer(&ask(&format!("bytes={total}-"))).status, 416);
}

#[test]
fn an_upload_in_two_chunks_is_stored_under_its_digest_only() {
    let mut registry = Registry::new();
    let begun = registry.answer(&request("POST", "/v2/real/app/blobs/uploads/"));
    assert_eq!(begun.status, 202);
    let location = header(&begun, "Location").unwrap().to_owned();
    let mut first = with_header(request("PATCH", &location), "Content-Range", "0-2");
    first.body = "abc".into();
    let answer = registry.answer(&first);
    assert_eq!((answer.status, header(&answer, "Range")), (202, Some("0-2")));
    assert_eq!(registry.answer(&first).status, 416, "the same chunk again is out of order");

    let mut last = request("PUT", &format!("{location}?digest={}", sha256(b"abcdef")));
    last.body = "def".into();
    assert_eq!(registry.answer(&last).status, 201);
    let stored = &registry.repository("real/app").unwrap().blobs;
    assert_eq!(stored.get(&sha256(b"abcdef")).unwrap(), "abcdef");

    let mut wrong =
        request("POST", &format!("/v2/real/app/blobs/uploads/?digest={}", sha256(b"x")));
    wrong.body = "y".into();
    assert_eq!(registry.answer(&wrong).status, 400);
}

#[test]
fn a_mount_finds_the_blob_in_another_repository() {
    let (mut registry, image) = stocked();
    let digest = &image.config.digest;
    let mount = request("POST", &format!("/v2/other/blobs/uploads/?mount={digest}&from=real/app"));
    assert_eq!(registry.answer(&mount).status, 201);
    assert!(registry.repository("other").unwrap().blobs.contains_key(digest));
    let missing = request("POST", &format!("/v2/other/blobs/uploads/?mount={digest}&from=nobody"));
    assert_eq!(registry.answer(&missing).status, 202);
}

#[test]
fn a_manifest_whose_blobs_are_missing_is_refused() {
    let image = Image::small();
    let mut put = request("PUT", "/v2/real/app/manifests/v1");
    put.body = image.manifest.bytes.clone();
    assert_eq!(Registry::new().answer(&put).status, 400);
    let (mut registry, _) = stocked();
    assert_eq!(registry.answer(&put).status, 201);
}

#[test]
fn a_token_opens_what_it_was_issued_for_and_nothing_else() {
    let (registry, _) = stocked();
    let mut registry = registry.with_access(Access::bearer("http://{A}/token", "u", "p"));
    let pull = request("GET", "/v2/real/app/manifests/v1");
    let refused = registry.answer(&pull);
    assert_eq!(refused.status, 401);
    let challenge = header(&refused, "WWW-Authenticate").unwrap();
    assert!(challenge.contains("scope=\"repository:real/app:pull\""), "{challenge}");

    let ask = request("GET", "/token?service=registry.test&scope=repository%3Areal%2Fapp%3Apull");
    assert_eq!(registry.answer(&ask).status, 401, "without the password");
    let answer = registry.answer(&with_header(ask, "Authorization", "Basic dTpw"));
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let token = format!("Bearer {}", body["token"].as_str().unwrap());
    assert!(token.contains(TOKEN));
    assert_eq!(registry.answer(&with_header(pull, "Authorization", &token)).status, 200);
    let other = request("DELETE", "/v2/real/app/manifests/v1");
    assert_eq!(registry.answer(&with_header(other, "Authorization", &token)).status, 401);
}

#[test]
fn tags_come_in_pages_that_name_the_next_one() {
    let image = Image::small();
    let registry = Registry::new().with_image("a", "1", &image).with_image("a", "2", &image);
    let mut registry = registry.with_page(1);
    let first = registry.answer(&request("GET", "/v2/a/tags/list"));
    assert_eq!(header(&first, "Link"), Some("</v2/a/tags/list?n=1&last=1>; rel=\"next\""));
    let second = registry.answer(&request("GET", "/v2/a/tags/list?n=1&last=1"));
    assert_eq!(header(&second, "Link"), None);
    assert_eq!(second.body, r#"{"name":"a","tags":["2"]}"#);
}

#[test]
fn an_artifact_is_listed_among_the_referrers_of_its_subject() {
    let (registry, image) = stocked();
    let artifact = image.clone().with_manifest(|manifest| {
        manifest["subject"] = image.manifest.descriptor();
        manifest["artifactType"] = "application/example".into();
    });
    let mut registry = registry.with_image("real/app", "sbom", &artifact);
    let subject = &image.manifest.digest;
    let answer = registry.answer(&request("GET", &format!("/v2/real/app/referrers/{subject}")));
    let index: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(index["manifests"][0]["digest"], artifact.manifest.digest.as_str());
    assert_eq!(index["manifests"][0]["artifactType"], "application/example");
}

#[test]
fn a_tag_is_only_moved_where_the_conditions_hold() {
    let (registry, image) = stocked();
    let mut registry = registry.with_conditions();
    let etag = format!("\"{}\"", image.manifest.digest);
    let found = registry.answer(&request("GET", "/v2/real/app/manifests/v1"));
    assert_eq!(header(&found, "ETag"), Some(etag.as_str()));
    let weak = format!("W/{etag}");
    let rows = [
        ("v1", "If-Match", "\"other\"", 412),
        ("v1", "If-Match", weak.as_str(), 412),
        ("v1", "If-None-Match", "*", 412),
        ("v2", "If-Match", "*", 412),
        ("v2", "If-None-Match", "*", 201),
        ("v1", "If-Match", etag.as_str(), 201),
    ];
    for (tag, name, value, status) in rows {
        let mut put = request("PUT", &format!("/v2/real/app/manifests/{tag}"));
        put.body = r#"{"schemaVersion":2,"manifests":[]}"#.into();
        let answer = registry.answer(&with_header(put, name, value));
        assert_eq!(answer.status, status, "{tag} {name}: {value}");
    }
}

#[test]
fn without_the_api_clients_keep_the_list() {
    let (registry, image) = stocked();
    let mut registry = registry.without_referrers();
    let path = format!("/v2/real/app/referrers/{}", image.manifest.digest);
    assert_eq!(registry.answer(&request("GET", &path)).status, 404);
    let mut put = request("PUT", "/v2/real/app/manifests/v2");
    let subject = image.manifest.descriptor();
    put.body = format!(r#"{{"schemaVersion":2,"manifests":[],"subject":{subject}}}"#).into();
    let answer = registry.answer(&put);
    assert_eq!((answer.status, header(&answer, "OCI-Subject")), (201, None));
}
