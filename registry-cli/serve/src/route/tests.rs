use http::Method;

use super::Route;
use crate::problem::Code;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const ID: &str = "01234567-89ab-4def-8123-456789abcdef";

fn found(path: &str) -> String {
    format!("{:?}", Route::find(path).expect(path))
}

#[test]
fn every_endpoint_has_a_route() {
    for (path, expected) in [
        ("/v2/".to_owned(), "Base"),
        ("/v2".to_owned(), "Base"),
        ("/v2/_catalog".to_owned(), "Catalog"),
        (format!("/v2/a/b/blobs/{DIGEST}"), "Blob(Name(\"a/b\")"),
        (format!("/v2/a/blobs/{}", DIGEST.replace(':', "%3A")), "Blob(Name(\"a\")"),
        ("/v2/a/manifests/v1.0".to_owned(), "Manifest(Name(\"a\"), Tag("),
        (format!("/v2/a/manifests/{DIGEST}"), "Manifest(Name(\"a\"), Digest("),
        ("/v2/a/blobs/uploads/".to_owned(), "Uploads(Name(\"a\"))"),
        ("/v2/a/blobs/uploads".to_owned(), "Uploads(Name(\"a\"))"),
        (format!("/v2/a/blobs/uploads/{ID}"), "Upload(Name(\"a\")"),
        ("/v2/a/tags/list".to_owned(), "Tags(Name(\"a\"))"),
        (format!("/v2/a/referrers/{DIGEST}"), "Referrers(Name(\"a\")"),
        ("/token".to_owned(), "Token"),
        ("/healthz".to_owned(), "Health"),
    ] {
        assert!(found(&path).starts_with(expected), "{path}: {}", found(&path));
    }
}

#[test]
fn a_name_may_hold_the_words_of_the_api() {
    assert!(found("/v2/blobs/manifests/tags/manifests/list").contains("\"blobs/manifests/tags\""));
    assert!(found("/v2/a/tags/list/tags/list").contains("\"a/tags/list\""));
    assert!(found("/v2/a/blobs/uploads/blobs/uploads/").contains("\"a/blobs/uploads\""));
}

#[test]
fn hostile_paths_are_refused() {
    let hex = "a".repeat(64);
    for (path, code) in [
        ("/v2/../etc/tags/list".to_owned(), Code::NameInvalid),
        ("/v2/a/../b/tags/list".to_owned(), Code::NameInvalid),
        ("/v2/%2e%2e/%2e%2e/etc/tags/list".to_owned(), Code::NameInvalid),
        ("/v2/..%2f..%2fetc/tags/list".to_owned(), Code::NameInvalid),
        ("/v2//a/tags/list".to_owned(), Code::NameInvalid),
        ("/v2/a//b/tags/list".to_owned(), Code::NameInvalid),
        ("/v2/_blobs/tags/list".to_owned(), Code::NameInvalid),
        ("/v2/a/_manifests/tags/list".to_owned(), Code::NameInvalid),
        ("/v2/A/tags/list".to_owned(), Code::NameInvalid),
        ("/v2/a%00b/tags/list".to_owned(), Code::NameInvalid),
        ("/v2/a\\b/tags/list".to_owned(), Code::NameInvalid),
        (format!("/v2/{}/tags/list", "a".repeat(300)), Code::NameInvalid),
        ("/v2/a/blobs/sha256:../../../etc/passwd".to_owned(), Code::Unsupported),
        ("/v2/a/blobs/sha256:..%2f..%2fpasswd".to_owned(), Code::Unsupported),
        ("/v2/a/blobs/sha256:".to_owned(), Code::DigestInvalid),
        (format!("/v2/a/blobs/md5:{hex}"), Code::DigestInvalid),
        (format!("/v2/a/blobs/sha256:{}", hex.to_uppercase()), Code::DigestInvalid),
        (format!("/v2/a/blobs/sha256:{hex}a"), Code::DigestInvalid),
        ("/v2/a/manifests/..".to_owned(), Code::TagInvalid),
        ("/v2/a/manifests/.hidden".to_owned(), Code::TagInvalid),
        (format!("/v2/a/manifests/{}", "t".repeat(129)), Code::TagInvalid),
        ("/v2/a/manifests/sha256:baddigeststring".to_owned(), Code::DigestInvalid),
        ("/v2/a/blobs/uploads/..".to_owned(), Code::BlobUploadUnknown),
        ("/v2/a/blobs/uploads/%2e%2e%2f%2e%2e".to_owned(), Code::Unsupported),
        (format!("/v2/a/blobs/uploads/{}", ID.to_uppercase()), Code::BlobUploadUnknown),
        ("/v1/".to_owned(), Code::Unsupported),
        ("/v2/a".to_owned(), Code::Unsupported),
        ("/v2/a/%ff/list".to_owned(), Code::Unsupported),
    ] {
        let problem = Route::find(&path).expect_err(&path);
        let text = format!("{problem:?}");
        assert!(text.contains(code.as_str()), "{path}: {text}");
    }
}

#[test]
fn another_method_is_told_which_apply() {
    let problem = Route::parse(&Method::PUT, "/v2/a/tags/list").expect_err("PUT");
    assert!(format!("{problem:?}").contains("GET, HEAD"), "{problem:?}");
    assert!(Route::parse(&Method::GET, "/v2/a/tags/list").is_ok());
}
