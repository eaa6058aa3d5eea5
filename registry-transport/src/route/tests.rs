use http::header::{ACCEPT, COOKIE, RANGE};

use super::*;
use crate::hosts::Host;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn get(repository: &str, route: &str) -> Request {
    let repository: Repository = repository.parse().unwrap();
    let path = format!("/v2/{}/{route}", repository.path());
    Request::new(Method::GET, &repository.registry(), path)
        .scopes(Scopes::pull(&repository))
        .resource(Resource::Repository(repository))
}

fn urls(hosts: &Hosts, request: &Request) -> Vec<String> {
    let all = routes(hosts, request, |_| true).unwrap();
    all.iter().map(|candidate| candidate.url.to_string()).collect()
}

fn with(prefix: &str, host: Host) -> Hosts {
    Hosts::default().host(prefix.parse().unwrap(), host)
}

fn mirror(url: &str) -> Mirror {
    Mirror::new(url.parse().unwrap())
}

#[test]
fn every_way_to_write_a_mirror_makes_its_own_urls() {
    let request = get("docker.io/library/alpine", "manifests/v1");
    let at = |prefix: &str| Mirror::at(prefix.parse().unwrap());
    for (prefix, mirror, want) in [
        ("docker.io", mirror("https://m.example"), "https://m.example/v2/library/alpine/"),
        (
            "docker.io",
            mirror("https://m.example:8443/p/"),
            "https://m.example:8443/p/v2/library/alpine/",
        ),
        (
            "docker.io",
            mirror("http://m.example/v2/hub").override_path(),
            "http://m.example/v2/hub/library/alpine/",
        ),
        ("docker.io", at("m.example"), "https://m.example/v2/library/alpine/"),
        ("docker.io", at("m.example/hub"), "https://m.example/v2/hub/library/alpine/"),
        ("docker.io/library", at("m.example/lib"), "https://m.example/v2/lib/alpine/"),
        ("docker.io/library/alpine", at("localhost:5000/alp"), "http://localhost:5000/v2/alp/"),
        (
            "docker.io/library/alpine",
            at("m.example/alp").host(Host::new().plain_http()),
            "http://m.example/v2/alp/",
        ),
    ] {
        let hosts = with(prefix, Host::new().mirror(mirror));
        let upstream = "https://registry-1.docker.io/v2/library/alpine/manifests/v1";
        assert_eq!(urls(&hosts, &request), [format!("{want}manifests/v1"), upstream.into()]);
    }
}

#[test]
fn only_reading_manifests_and_blobs_goes_to_mirrors() {
    let hosts = with("docker.io", Host::new().mirror(mirror("https://m.example")));
    let count = |request: &Request| urls(&hosts, request).len();
    let blob = format!("blobs/{DIGEST}");
    for route in ["manifests/v1", &format!("manifests/{DIGEST}"), &blob] {
        assert_eq!(count(&get("docker.io/a/b", route)), 2, "{route}");
        assert_eq!(count(&get("docker.io/a/b", route).upstream()), 1, "{route}");
        assert_eq!(count(&get("ghcr.io/a/b", route)), 1, "{route}");
        let repository: Repository = "docker.io/a/b".parse().unwrap();
        let writer = get("docker.io/a/b", route).scopes(Scopes::push(&repository));
        assert_eq!(count(&writer), 1, "{route}");
        let mut put = get("docker.io/a/b", route);
        put.method = Method::PUT;
        assert_eq!(count(&put), 1, "{route}");
    }
    for route in [
        "tags/list",
        "tags/list?n=10",
        &format!("referrers/{DIGEST}"),
        "blobs/uploads/x",
        "blobs/uploads/",
    ] {
        assert_eq!(count(&get("docker.io/a/b", route)), 1, "{route}");
    }
    assert_eq!(count(&Request::new(Method::GET, &"docker.io".parse().unwrap(), "/v2/")), 1);
}

#[test]
fn a_mirror_is_asked_for_what_it_may_answer() {
    let hosts = with(
        "docker.io",
        Host::new()
            .mirror(mirror("https://digests.example").digest_only())
            .mirror(mirror("https://tags.example").pull(false)),
    );
    let hosts_of = |route: &str| -> Vec<String> {
        let all = routes(&hosts, &get("docker.io/a/b", route), |_| true).unwrap();
        all.iter().map(|candidate| candidate.home.origin.host().to_owned()).collect()
    };
    let upstream = "registry-1.docker.io";
    assert_eq!(hosts_of("manifests/v1"), ["tags.example", upstream]);
    assert_eq!(hosts_of(&format!("manifests/{DIGEST}")), ["digests.example", upstream]);
    assert_eq!(hosts_of(&format!("blobs/{DIGEST}")), ["digests.example", upstream]);
}

#[test]
fn r14_a_mirror_gets_its_own_scope_and_nothing_of_the_registry_s() {
    let hosts = with(
        "docker.io",
        Host::new().mirror(mirror("https://harbor.example/v2/hub").override_path().ns(true)),
    );
    let mut request = get("docker.io/library/alpine", "manifests/v1?x=1")
        .accept(&["a/b"])
        .range_from(7)
        .expect(&[200, 404])
        .header(COOKIE, "canary");
    request.scopes = Scopes::pull(&"docker.io/library/alpine".parse().unwrap());
    let all = routes(&hosts, &request, |_| true).unwrap();
    let there = &all[0].request;
    let want: Repository = "harbor.example/hub/library/alpine".parse().unwrap();
    assert_eq!(all[0].url.query(), Some("x=1&ns=docker.io"));
    assert_eq!(there.registry, want.registry());
    assert_eq!(there.scopes, Scopes::pull(&want));
    assert_eq!(there.resource, Some(Resource::Repository(want)));
    assert_eq!(there.headers.keys().cloned().collect::<Vec<_>>(), [ACCEPT, RANGE]);
    assert_eq!(there.expect, [200]);
    // and the registry itself gets all that was asked
    assert_eq!(all[1].request.headers.len(), 3);
    assert_eq!(all[1].request.expect, [200, 404]);
}

#[test]
fn a_distrusted_mirror_is_passed_by() {
    let hosts = with("docker.io", Host::new().mirror(mirror("https://m.example")));
    let request = get("docker.io/a/b", "manifests/v1");
    let all = routes(&hosts, &request, |mirror| mirror.host_str() != Some("m.example")).unwrap();
    assert_eq!(all.len(), 1);
    assert!(all[0].mirror.is_none());
}

#[test]
fn the_longest_prefix_that_says_something_decides() {
    let moved = |to: &str| Host::new().location(to.parse().unwrap());
    let hosts = with("docker.io", moved("all.example"))
        .host("docker.io/team".parse().unwrap(), moved("team.example/x"))
        .host("docker.io/team/quiet".parse().unwrap(), Host::new().user_agent("says nothing"))
        .host("*.corp.example".parse().unwrap(), moved("corp.example/all"))
        .host("a.corp.example".parse().unwrap(), moved("one.example"));
    for (repository, want) in [
        ("docker.io/a/b", "https://all.example/v2/a/b/manifests/v1"),
        ("docker.io/team/b", "https://team.example/v2/x/b/manifests/v1"),
        ("docker.io/team/quiet/b", "https://team.example/v2/x/quiet/b/manifests/v1"),
        ("docker.io/teamwork/b", "https://all.example/v2/teamwork/b/manifests/v1"),
        ("b.corp.example/x", "https://corp.example/v2/all/x/manifests/v1"),
        ("a.corp.example/x", "https://one.example/v2/x/manifests/v1"),
    ] {
        assert_eq!(urls(&hosts, &get(repository, "manifests/v1")), [want], "{repository}");
    }
    // Writing goes to the name that was given.
    let mut put = get("docker.io/team/b", "manifests/v1");
    put.method = Method::PUT;
    assert_eq!(urls(&hosts, &put), ["https://registry-1.docker.io/v2/team/b/manifests/v1"]);
}

#[test]
fn nothing_is_asked_of_what_is_blocked() {
    let hosts = with("docker.io/bad", Host::new().blocked().mirror(mirror("https://m.example")));
    let refusal = |repository: &str, route: &str| {
        routes(&hosts, &get(repository, route), |_| true).map(|all| all.len()).map_err(|e| e.kind())
    };
    assert_eq!(refusal("docker.io/bad/x", "manifests/v1"), Err(ErrorKind::Refused));
    assert_eq!(refusal("docker.io/bad/x", "tags/list"), Err(ErrorKind::Refused));
    assert_eq!(refusal("docker.io/good/x", "manifests/v1"), Ok(1));
}

#[test]
fn an_endpoint_may_have_a_path_of_its_own() {
    let host = Host::new().endpoint("https://inside.example/registry/".parse().unwrap());
    let hosts = with("ghcr.io", host);
    let request = get("ghcr.io/a/b", "tags/list?n=1");
    assert_eq!(urls(&hosts, &request), ["https://inside.example/registry/v2/a/b/tags/list?n=1"]);
}
