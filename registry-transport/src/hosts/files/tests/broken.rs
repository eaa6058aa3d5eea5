//! Files that cannot be used: the error names the file, the line, and what is wrong.

use super::*;

/// What goes wrong when `text` is at `path` and somebody asks for a repository.
fn fault(path: &str, text: impl AsRef<[u8]>) -> String {
    let machine = Machine::new().file(path, text);
    let files = machine.files();
    let registry: Registry = "a.example:5000".parse().unwrap();
    let broken = files.host(&registry, "x/y").unwrap_err();
    let explained = files.explain(&registry, Some("x/y"));
    // The same file, unless it is one that is read only when a host is made.
    if let Some(shown) = explained.broken() {
        assert_eq!(*shown, broken);
    }
    machine.short(&broken.to_string())
}

#[test]
fn our_own_file_says_what_is_wrong_with_it() {
    let path = "home/.config/registry/hosts.toml";
    let table = |line: &str| format!("[registry.\"a.example:5000\"]\n{line}\n");
    let mirror = |line: &str| format!("[[registry.\"a.example:5000\".mirror]]\n{line}\n");
    for (text, line, want) in [
        ("x".to_owned(), 1, "this is not TOML"),
        ("a = 1\na = 2\n".to_owned(), 2, "this is not TOML"),
        ("x = 1\n".to_owned(), 1, "\"x\" is not known in the file"),
        (table("ca_file = 'x'"), 2, "\"ca_file\" is not known in [registry.\"a.example:5000\"]"),
        (table("blocked = 'yes'"), 2, "is a string; it takes true or false"),
        (table("ca = 1"), 2, "is a whole number; it takes a string or a list of strings"),
        (table("ca = ['a', ['b']]"), 2, "is a list; it takes a string or a list of strings"),
        (table("concurrency = 0"), 2, "it takes a whole number from 1"),
        (table("concurrency = -1"), 2, "it takes a whole number from 1"),
        (table("concurrency = 99999999999999999999999"), 2, "it takes a whole number from 1"),
        (table("endpoint = 'a.example'"), 2, "endpoint: \"a.example\" is not a URL"),
        (table("endpoint = 'ftp://a.example'"), 2, "does not start with https:// or http://"),
        (table("endpoint = 'https://u:canary@a.example'"), 2, "with a user name or password"),
        (table("endpoint = 'https://a.example'\nplain-http = true"), 3, "plain-http beside"),
        (table("proxy = 'canary'"), 2, "proxy: this is not a URL"),
        (table("proxy = 'ftp://canary@a.example'"), 2, "this is not the URL of a proxy"),
        (table("client-key = 'x'"), 2, "client-key without client-certificate"),
        (table("headers = { 'a b' = 'x' }"), 2, "\"a b\" is not the name of a header"),
        (table("headers = { a = \"canary\\n\" }"), 2, "headers: this is not the value"),
        (table("user-agent = \"canary\\n\""), 2, "user-agent: this is not the value"),
        (table("trusted-realms = ['https://x']"), 2, "\"https://x\" is not a host name"),
        (mirror("ns = true"), 1, "a mirror takes an endpoint"),
        (mirror("endpoint = 'https://m.example'\nblocked = true"), 3, "\"blocked\" is not known"),
        ("[registry.nodots]\n".to_owned(), 1, "nodots"),
        ("[registry]\n\"a.example\" = 1\n".to_owned(), 2, "is a whole number, not a table"),
        ("registry = 1\n".to_owned(), 1, "registry is a whole number; it takes a table"),
        (
            "[registry.\"docker.io\"]\n[registry.\"index.docker.io\"]\n".to_owned(),
            2,
            "a second table for docker.io",
        ),
        ("[[rewrite]]\nprefix = 'a.example'\n".to_owned(), 1, "takes a prefix and a location"),
        ("[[rewrite]]\nprefix = 'a..b'\n".to_owned(), 2, "prefix: \"a..b\" is not a registry"),
        (
            "[[rewrite]]\nprefix = 'a.example'\nlocation = '*.b.example'\n".to_owned(),
            3,
            "is a wildcard, not a location",
        ),
        ("[aliases]\nx = 'y'\n".to_owned(), 2, "\"y\" does not name its registry"),
        ("[aliases]\n'a.example/x' = 'a.example/y'\n".to_owned(), 2, "is not a short name"),
        ("[aliases]\nx = 'a.example/y:tag'\n".to_owned(), 2, "a.example/y:tag"),
    ] {
        let said = fault(path, &text);
        assert!(said.starts_with(&format!("{path}:{line}: ")), "{text}\n{said}");
        assert!(said.contains(want), "{text}\n{said}");
        assert!(!said.contains("canary"), "{text}\n{said}");
    }
}

#[test]
fn hosts_toml_says_what_is_wrong_with_it() {
    let path = "etc/containerd/certs.d/a.example:5000/hosts.toml";
    for (text, line, want) in [
        ("server = 1\n", 1, "server is a whole number; it takes a string"),
        ("server = \"ftp://x\"\n", 1, "does not start with https:// or http://"),
        ("[host.\"https://u:p@m.example\"]\n", 1, "a user name or password"),
        ("[host.\"ftp://m.example\"]\n", 1, "does not start with"),
        ("[host]\n\"https://m.example\" = 1\n", 2, "is a whole number, not a table"),
        ("\ncapabilities = [\"fly\"]\n", 2, "\"fly\" is none of pull, resolve and push"),
        ("client = [[\"a\"]]\n", 1, "a list of pairs of paths"),
        ("client = [[\"a\", \"b\", \"c\"]]\n", 1, "a list of pairs of paths"),
        ("dial_timeout = \"soon\"\n", 1, "\"soon\" is not a duration"),
        ("override_path = true\n", 1, "override_path needs a server"),
        ("skip_verify = 1\n", 1, "it takes true or false"),
        ("[header]\nx = 1\n", 1, "it takes a table of strings"),
    ] {
        let said = fault(path, text);
        assert!(said.starts_with(&format!("{path}:{line}: ")), "{text}\n{said}");
        assert!(said.contains(want), "{text}\n{said}");
    }
}

#[test]
fn registries_conf_says_what_is_wrong_with_it() {
    let path = "etc/containers/registries.conf";
    for (text, line, want) in [
        ("[[registry]]\n", 1, "neither prefix nor location"),
        ("[[registry]]\nprefix = \"a.example\"\n", 1, "only a prefix that is a wildcard"),
        ("[[registry]]\nprefix = \"a.*.example\"\n", 2, "prefix: "),
        ("[[registry]]\nprefix = \"*.a.example/x\"\n", 2, "a wildcard is *. and a domain"),
        ("[[registry]]\nlocation = \"https://a.example\"\n", 2, "write the host without a scheme"),
        ("[[registry]]\nlocation = \"a.example/x:tag\"\n", 2, "a.example/x:tag"),
        (
            "[[registry]]\nlocation = \"a.example\"\ninsecure = \"yes\"\n",
            3,
            "it takes true or false",
        ),
        (
            "[[registry]]\nlocation = \"a.example\"\n[[registry.mirror]]\n",
            3,
            "a mirror takes a location",
        ),
        (
            "[[registry]]\nlocation = \"a.example\"\nmirror-by-digest-only = true\n\
             [[registry.mirror]]\nlocation = \"m.example\"\npull-from-mirror = \"all\"\n",
            6,
            "pull-from-mirror beside mirror-by-digest-only",
        ),
        (
            "[[registry]]\nlocation = \"a.example\"\n\
             [[registry.mirror]]\nlocation = \"m.example\"\npull-from-mirror = \"never\"\n",
            5,
            "\"never\" is none of all, digest-only and tag-only",
        ),
        (
            "[registries.block]\nregistries = ['a.example']\n[[registry]]\nlocation = 'b.example'\n",
            1,
            "tables of both versions",
        ),
        ("[registries.block]\nregistries = ['a b']\n", 2, "a b"),
        ("registry = 1\n", 1, "it takes a list of tables"),
    ] {
        let said = fault(path, text);
        assert!(said.starts_with(&format!("{path}:{line}: ")), "{text}\n{said}");
        assert!(said.contains(want), "{text}\n{said}");
    }
    let drop_in = "etc/containers/registries.conf.d/x.conf";
    let said = fault(drop_in, "[registries.block]\nregistries = []\n");
    assert!(said.starts_with(&format!("{drop_in}:1: a drop-in file")), "{said}");
}

#[test]
fn certificates_come_in_pairs_and_are_there() {
    let directory = "etc/docker/certs.d/a.example:5000";
    for (name, want) in [
        ("client.cert", "a client certificate without its key"),
        ("client.key", "a key without its certificate"),
        ("ca.crt", "this is not PEM"),
    ] {
        let said = fault(&format!("{directory}/{name}"), "");
        assert!(said.starts_with(&format!("{directory}/{name}: {want}")), "{said}");
    }
    let empty = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
    let said = fault(&format!("{directory}/ca.crt"), empty);
    assert!(said.starts_with(&format!("{directory}/ca.crt: ")), "{said}");
    let own = "home/.config/registry/hosts.toml";
    let said = fault(own, "[registry.\"a.example:5000\"]\nca = \"gone.pem\"\n");
    assert!(
        said.starts_with("home/.config/registry/gone.pem: there is no such file; ")
            && said.contains("hosts.toml:2 "),
        "{said}"
    );
}

#[test]
fn what_is_no_text_or_too_much_of_it_is_refused() {
    let path = "home/.config/registry/hosts.toml";
    assert_eq!(fault(path, b"a = 'b'\n\xff"), format!("{path}:2: this is not UTF-8 text"));
    assert_eq!(fault(path, vec![b'\n'; (1 << 20) + 1]), format!("{path}: is larger than 1 MiB"));
    let deep = format!("x = {}", "[".repeat(100_000));
    assert!(fault(path, deep).starts_with(&format!("{path}:1: this is not TOML")));
    assert!(Machine::new().file(path, b"\xEF\xBB\xBF[aliases]\n").used("a.example").is_empty());
}

#[cfg(unix)]
#[test]
fn a_pipe_is_refused_and_not_waited_for() {
    for (path, family) in [
        ("home/.config/registry/hosts.toml", Family::Own),
        ("etc/containers/registries.conf", Family::RegistriesConf),
        ("etc/containers/registries.conf.d/x.conf", Family::RegistriesConf),
        ("etc/containerd/certs.d/a.example:5000/hosts.toml", Family::HostsToml),
        ("etc/docker/certs.d/a.example:5000/ca.crt", Family::CertsD),
    ] {
        let machine = Machine::new().file(path, "");
        let pipe = machine.path(path);
        fs::remove_file(&pipe).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let broken = machine.files().host(&"a.example:5000".parse().unwrap(), "x").unwrap_err();
        assert_eq!(machine.short(&broken.to_string()), format!("{path}: is not a regular file"));
        let explanation = explain(&machine.files(), "a.example:5000");
        let at = explanation.looked_at.iter().find(|at| at.path == pipe);
        assert!(at.is_none_or(|at| at.family == family));
    }
}

#[test]
fn a_file_that_is_broken_for_one_registry_does_not_stop_another() {
    let machine = Machine::new().file("etc/containerd/certs.d/a.example/hosts.toml", "broken");
    let files = machine.files();
    assert!(files.host(&"a.example".parse().unwrap(), "x").is_err());
    assert!(files.host(&"b.example".parse().unwrap(), "x").is_ok());
    assert!(files.alias("x").is_ok());
}

#[test]
fn a_file_that_was_asked_for_has_to_be_there() {
    let machine = Machine::new();
    let path = machine.path("hosts.toml");
    let files = HostFiles::read(Places::none().own_file(&path));
    let broken = files.host(&"a.example".parse().unwrap(), "").unwrap_err();
    assert_eq!((broken.file(), broken.what()), (path.as_path(), "there is no such file"));
    let error: crate::Error = broken.into();
    assert_eq!(error.kind(), crate::ErrorKind::Config);
}

/// A dangling link is not the same as no file.
#[cfg(unix)]
#[test]
fn a_link_to_nowhere_is_broken() {
    let machine = Machine::new().file("home/.config/registry/x", "");
    std::os::unix::fs::symlink("gone", machine.path("home/.config/registry/hosts.toml")).unwrap();
    let broken = explain(&machine.files(), "a.example").broken().cloned().unwrap();
    assert!(broken.what().starts_with("cannot be read: "), "{broken}");
}
