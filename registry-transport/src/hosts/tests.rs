use super::*;

fn registry(text: &str) -> Registry {
    text.parse().unwrap()
}

#[test]
fn only_this_machine_speaks_plain_http_unasked() {
    let hosts = Hosts::default();
    for (text, want) in [
        ("localhost:5000", "http://localhost:5000/"),
        ("registry.localhost", "http://registry.localhost/"),
        ("127.0.0.1:5000", "http://127.0.0.1:5000/"),
        ("127.1.2.3", "http://127.1.2.3/"),
        ("[::1]:5000", "http://[::1]:5000/"),
        ("docker.io", "https://registry-1.docker.io/"),
        ("index.docker.io", "https://registry-1.docker.io/"),
        ("ghcr.io", "https://ghcr.io/"),
        ("10.0.0.1:5000", "https://10.0.0.1:5000/"),
        ("localhost.example.com", "https://localhost.example.com/"),
        ("ghcr.io:443", "https://ghcr.io/"),
    ] {
        assert_eq!(hosts.endpoint(&registry(text)).unwrap().as_str(), want, "{text}");
    }
}

#[test]
fn a_registry_can_be_told_otherwise() {
    let hosts =
        Hosts::default().plain_http(registry("registry.corp:5000")).tls(registry("localhost:5443"));
    assert!(hosts.is_plain(&registry("registry.corp:5000")));
    assert!(!hosts.is_plain(&registry("registry.corp")));
    assert!(!hosts.is_plain(&registry("localhost:5443")));
    assert!(hosts.is_plain(&registry("localhost:5000")));
}

#[test]
fn an_endpoint_of_its_own_says_its_scheme_too() {
    let host = Host::new().plain_http().endpoint("https://inside.corp:8443/api/".parse().unwrap());
    let hosts = Hosts::default().host("ghcr.io".parse().unwrap(), host);
    let endpoint = hosts.endpoint(&registry("ghcr.io")).unwrap();
    assert_eq!(endpoint.as_str(), "https://inside.corp:8443/api/");
}

#[test]
fn what_one_leaves_open_the_other_says() {
    let own = Host::new().plain_http().user_agent("own");
    let other = Host::new()
        .endpoint("https://elsewhere.example".parse().unwrap())
        .user_agent("other")
        .ca_certificates("pem")
        .blocked()
        .strict_uploads();
    let both = own.or(&other);
    // The endpoint would bring another scheme, so it belongs with the scheme.
    assert_eq!((both.plain, both.endpoint), (Some(true), None));
    assert_eq!(both.user_agent.as_deref(), Some("own"));
    assert_eq!(both.connection.certificates.len(), 1);
    assert_eq!((both.blocked, both.strict_uploads), (Some(true), Some(true)));
}

#[test]
fn nothing_secret_is_shown() {
    let host = Host::new()
        .endpoint("https://canary:canary@e.example".parse().unwrap())
        .proxy("http://canary-user:canary@proxy.example:3128".parse().unwrap())
        .client_certificate("canary", "canary")
        .header(http::header::COOKIE, "canary".parse().unwrap());
    let mirror = Mirror::new("https://canary@m.example".parse().unwrap()).host(host.clone());
    let hosts = Hosts::default().host("ghcr.io".parse().unwrap(), host.mirror(mirror));
    assert!(!format!("{hosts:?} {hosts:#?}").contains("canary"));
}

#[test]
fn a_prefix_covers_whole_components() {
    for (prefix, repository, want) in [
        ("docker.io", "docker.io/library/alpine", Some("library/alpine")),
        ("docker.io/library", "docker.io/library/alpine", Some("alpine")),
        ("docker.io/library/alpine", "docker.io/library/alpine", Some("")),
        ("docker.io/lib", "docker.io/library/alpine", None),
        ("index.docker.io/library", "docker.io/library/alpine", Some("alpine")),
        ("ghcr.io", "docker.io/library/alpine", None),
        ("*.corp.example", "a.corp.example/x", Some("x")),
        ("*.corp.example", "a.b.corp.example:5000/x", Some("x")),
        ("*.corp.example", "corp.example/x", None),
        ("*.corp.example", "evilcorp.example/x", None),
        ("*.corp.example/team", "a.corp.example/team/x", Some("x")),
    ] {
        let prefix: Prefix = prefix.parse().unwrap();
        let repository: registry_name::Repository = repository.parse().unwrap();
        assert_eq!(prefix.rest(&repository.registry(), repository.path()), want, "{prefix}");
    }
    for text in ["", "docker.io/", "docker.io/UPPER", "*", "*.", "docker.io/a:tag", "a b.c"] {
        assert!(text.parse::<Prefix>().is_err(), "{text}");
    }
}

#[test]
fn a_prefix_is_printed_as_it_is_read() {
    for text in ["docker.io", "docker.io/library", "*.corp.example/team", "localhost:5000/a"] {
        assert_eq!(text.parse::<Prefix>().unwrap().to_string(), text);
    }
}

#[test]
fn a_proxy_is_an_address_and_perhaps_a_login() {
    for (text, url, login) in [
        ("http://proxy.example:3128", "http://proxy.example:3128/", None),
        ("proxy.example:3128", "http://proxy.example:3128/", None),
        ("https://u:p@proxy.example", "https://proxy.example/", Some(("u", "p"))),
        ("http://u%40x:p%3A+%26=@proxy.example", "http://proxy.example/", Some(("u@x", "p:+&="))),
        ("http://u@proxy.example", "http://proxy.example/", Some(("u", ""))),
    ] {
        let proxy: Proxy = text.parse().unwrap();
        assert_eq!(proxy.url().unwrap().as_str(), url, "{text}");
        assert_eq!(proxy.login().map(|(user, secret)| (user, secret.expose())), login, "{text}");
    }
    assert!(Proxy::none().url().is_none());
    for text in ["", "http://", "ftp://canary@proxy.example", "canary:canary@ :1", "socks4://p"] {
        let error = text.parse::<Proxy>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"), "{text}");
    }
}
