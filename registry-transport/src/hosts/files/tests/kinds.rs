//! Real-looking files of each kind.

use super::*;

#[test]
fn our_own_file_says_everything() {
    let machine = Machine::new().file(
        "home/.config/registry/hosts.toml",
        r#"
[registry."Registry.example.com:5000"]
endpoint = "https://10.0.0.7:8443"
proxy = "socks5h://user:canary@proxy.example.com"
ca = ["ca.pem", "/abs/other.pem"]
client-certificate = "client.pem"
client-key = "client.key"
headers = { X-Team = "canary", x-two = ["canary", "canary"] }
concurrency = 4
user-agent = "robot/7"
trusted-realms = ["Login.example.com"]
allowed-private-hosts = "storage.example.com"
strict-uploads = true

[[registry."Registry.example.com:5000".mirror]]
endpoint = "https://mirror.example.com/cache"
ns = true
resolve = false
ca = "mirror.pem"

[[registry."Registry.example.com:5000".mirror]]
endpoint = "http://last.example.com"

[registry."registry.lab"]
plain-http = true
dangerously-skip-verify = false
proxy = "none"
blocked = true
"#,
    );
    let file = "home/.config/registry/hosts.toml";
    let used = machine.used("registry.example.com:5000");
    assert_eq!(
        used,
        [
            format!("proxy = socks5h://REDACTED@proxy.example.com ({file}:4)"),
            format!("ca = home/.config/registry/ca.pem, /abs/other.pem ({file}:5)"),
            format!(
                "client-certificate = home/.config/registry/client.pem, key home/.config/registry/client.key ({file}:6)"
            ),
            format!("headers = X-Team, x-two, x-two ({file}:8)"),
            format!("concurrency = 4 ({file}:9)"),
            format!("user-agent = robot/7 ({file}:10)"),
            format!("endpoint = https://10.0.0.7:8443/ ({file}:3)"),
            format!("strict-uploads = true ({file}:13)"),
            format!("trusted-realms = login.example.com ({file}:11)"),
            format!("allowed-private-hosts = storage.example.com ({file}:12)"),
            format!(
                "mirror = https://mirror.example.com/cache, http://last.example.com/ ({file}:15)"
            ),
        ]
    );
    assert_eq!(
        mirrors(&machine.files(), "registry.example.com:5000")
            .iter()
            .map(|mirror| machine.short(mirror))
            .collect::<Vec<_>>(),
        [
            "https://mirror.example.com/cache pull ns ca = home/.config/registry/mirror.pem",
            "http://last.example.com/ pull resolve",
        ]
    );
    assert_eq!(
        machine.used("registry.lab"),
        [
            format!("dangerously-skip-verify = false ({file}:26)"),
            format!("proxy = none ({file}:27)"),
            format!("plain-http = true ({file}:25)"),
            format!("blocked = true ({file}:28)"),
        ]
    );
    assert!(machine.used("registry.example.com").is_empty());
    let explanation = explain(&machine.files(), "registry.example.com:5000");
    assert!(!format!("{explanation} {explanation:?}").contains("canary"));
}

#[test]
fn rewrites_take_the_longest_prefix() {
    let machine = Machine::new().file(
        "home/.config/registry/hosts.toml",
        r#"
[[rewrite]]
prefix = "docker.io"
location = "registry.corp/hub"
[[rewrite]]
prefix = "docker.io/library"
location = "registry.corp/official"
[[rewrite]]
prefix = "*.example.com"
location = "registry.corp"
"#,
    );
    for (name, want) in [
        ("docker.io/acme/app", Some("registry.corp/hub")),
        ("docker.io/library/alpine", Some("registry.corp/official")),
        ("docker.io/libraryx/alpine", Some("registry.corp/hub")),
        ("a.example.com/x", Some("registry.corp")),
        ("ghcr.io/x", None),
    ] {
        let explanation = explain(&machine.files(), name);
        let location = explanation.used().find_map(|said| match &said.setting {
            Setting::Location(location) => Some(location.to_string()),
            _ => None,
        });
        assert_eq!(location.as_deref(), want, "{name}");
    }
}

#[test]
fn containerd_s_hosts_are_asked_in_the_order_of_the_file() {
    let machine = Machine::new().file(
        "etc/containerd/certs.d/docker.io/hosts.toml",
        r#"
server = "https://registry-1.docker.io"
ca = "/etc/certs/hub.pem"
[header]
  x-custom-1 = "canary"

[host."https://z-mirror.example.com"]
  capabilities = ["pull"]
  ca = "mirror.pem"
  skip_verify = false
  dial_timeout = "1s"
  [host."https://z-mirror.example.com".header]
    x-custom-2 = ["canary", "canary"]

[host."https://bak.example.com/us"]
  skip_verify = true
[host."http://plain.example.com:5000"]
  capabilities = ["pull", "resolve", "push"]
  client = [["a.cert", "a.key"], ["b.pem", ""]]
[host."https://odd.example.com/v2/upstream"]
  override_path = true
[host."https://v2.example.com/x/v2/"]
  client = "client.pem"
  proxy = "http://proxy.example.com:3128"
  novelty = 1
"#,
    );
    let file = "etc/containerd/certs.d/docker.io/hosts.toml";
    assert_eq!(
        machine.used("docker.io"),
        [
            format!("ca = /etc/certs/hub.pem ({file}:3)"),
            format!("headers = x-custom-1 ({file}:4)"),
            format!("endpoint = https://registry-1.docker.io/ ({file}:2)"),
            format!(
                "mirror = https://z-mirror.example.com/, https://bak.example.com/us, http://plain.example.com:5000/, \
                 https://odd.example.com/v2/upstream, https://v2.example.com/x ({file}:7)"
            ),
        ]
    );
    let directory = "etc/containerd/certs.d/docker.io";
    let found = mirrors(&machine.files(), "docker.io");
    assert_eq!(
        found.iter().map(|mirror| machine.short(mirror)).collect::<Vec<_>>(),
        [
            format!(
                "https://z-mirror.example.com/ pull ns dangerously-skip-verify = false \
                 ca = {directory}/mirror.pem headers = x-custom-2, x-custom-2"
            ),
            "https://bak.example.com/us pull resolve ns dangerously-skip-verify = true".to_owned(),
            format!(
                "http://plain.example.com:5000/ pull resolve ns \
                 client-certificate = {directory}/a.cert, key {directory}/a.key"
            ),
            "https://odd.example.com/v2/upstream pull resolve ns".to_owned(),
            format!(
                "https://v2.example.com/x pull resolve ns proxy = http://proxy.example.com:3128/ \
                 client-certificate = {directory}/client.pem"
            ),
        ]
    );
    assert_eq!(
        machine.notes("docker.io"),
        [
            format!("dial_timeout ({file}:11) every connection has the same deadline"),
            format!("capability push ({file}:17) writes go to the registry itself"),
            format!("client b.pem ({file}:19) one certificate is shown, the first"),
            format!("novelty ({file}:25) not known here"),
        ]
    );
}

#[test]
fn containerd_s_directories_have_two_names_and_a_default() {
    let hosts = |server: &str| format!("server = \"https://{server}\"\n");
    let machine = Machine::new()
        .file("etc/containerd/certs.d/_default/hosts.toml", hosts("default.example"))
        .file("etc/containerd/certs.d/a.example:5000/hosts.toml", hosts("colon.example"))
        .file("etc/containerd/certs.d/b.example:5000/hosts.toml", hosts("colon.example"))
        .file("etc/containerd/certs.d/b.example_5000_/hosts.toml", hosts("underscore.example"))
        .file("etc/containerd/certs.d/docker.io/hosts.toml", hosts("docker.io"))
        .file("etc/containerd/certs.d/c.example/ca.crt", PEM)
        .file("home/.config/containerd/certs.d/d.example/hosts.toml", hosts("user.example"))
        .file("etc/containerd/certs.d/d.example/hosts.toml", hosts("system.example"));
    for (name, want) in [
        ("a.example:5000", "https://colon.example/"),
        ("b.example:5000", "https://underscore.example/"),
        ("a.example", "https://default.example/"),
        ("index.docker.io", "https://registry-1.docker.io/"),
        ("d.example", "https://user.example/"),
    ] {
        let used = machine.used(name);
        assert!(used[0].starts_with(&format!("endpoint = {want} ")), "{name}: {used:?}");
    }
    // Without a hosts.toml it is a directory of certificates, and still not the default.
    let directory = "etc/containerd/certs.d/c.example";
    assert_eq!(machine.used("c.example"), [format!("ca = {directory}/ca.crt ({directory})")]);
}

#[test]
fn certificates_are_told_apart_by_their_names() {
    let machine = Machine::new()
        .file("etc/docker/certs.d/a.example:5000/ca.crt", PEM)
        .file("etc/docker/certs.d/a.example:5000/more.crt", PEM)
        .file("etc/docker/certs.d/a.example:5000/client.cert", PEM)
        .file("etc/docker/certs.d/a.example:5000/client.key", PEM)
        .file("etc/docker/certs.d/a.example:5000/other.cert", PEM)
        .file("etc/docker/certs.d/a.example:5000/other.key", PEM)
        .file("etc/docker/certs.d/a.example:5000/README", "")
        .file("etc/docker/certs.d/b.example/ca.crt", PEM)
        .file("etc/containers/certs.d/b.example/ca.crt", PEM)
        .file("home/.config/containers/certs.d/c.example/ca.crt", PEM)
        .file("home/.config/docker/certs.d/c.example/ca.crt", PEM);
    let d = "etc/docker/certs.d/a.example:5000";
    assert_eq!(
        machine.used("a.example:5000"),
        [
            format!("client-certificate = {d}/client.cert, key {d}/client.key ({d}/client.cert)"),
            format!("ca = {d}/ca.crt, {d}/more.crt ({d})"),
        ]
    );
    assert_eq!(
        machine.notes("a.example:5000"),
        [
            format!("client certificate ({d}/other.cert) one certificate is shown, the first"),
            format!("README ({d}/README) neither .crt, .cert nor .key"),
        ]
    );
    assert!(machine.used("a.example").is_empty());
    for (name, want, other) in [
        ("b.example", "etc/containers", "etc/docker"),
        ("c.example", "home/.config/containers", "home/.config/docker"),
    ] {
        let want = format!("{want}/certs.d/{name}");
        assert_eq!(machine.used(name), [format!("ca = {want}/ca.crt ({want})")]);
        let note = format!("certificates ({other}/certs.d/{name}) {want} exists, and comes first");
        assert_eq!(machine.short(&machine.notes(name).join("\n")), note);
    }
}

const REGISTRIES: &str = r#"
unqualified-search-registries = ["example.com"]
short-name-mode = "enforcing"

[[registry]]
prefix = "example.com/foo"
insecure = false
blocked = false
location = "internal.example.net/bar"

[[registry.mirror]]
location = "mirror-0.example.net/mirror-for-foo"
[[registry.mirror]]
location = "mirror-1.example.net:5000/mirrors/foo/"
insecure = true
pull-from-mirror = "tag-only"

[[registry]]
location = "registry.example.com"
mirror-by-digest-only = true
[[registry.mirror]]
location = "mirror.example.com"

[[registry]]
prefix = "*.example.org"
insecure = true

[[registry]]
prefix = "*.deep.example.org"
location = "moved.example.net"

[[registry]]
location = "exact.example.org"
blocked = true

[[registry]]
location = "part.example.net/team"
insecure = true
"#;

#[test]
fn registries_conf_says_it_by_prefix() {
    let machine = Machine::new().file("etc/containers/registries.conf", REGISTRIES);
    let file = "etc/containers/registries.conf";
    assert_eq!(
        machine.used("example.com/foo/image"),
        [
            format!("location = internal.example.net/bar ({file}:9)"),
            format!("insecure = false ({file}:7)"),
            format!("blocked = false ({file}:8)"),
            format!(
                "mirror = mirror-0.example.net/mirror-for-foo, mirror-1.example.net:5000/mirrors/foo ({file}:11)"
            ),
        ]
    );
    assert_eq!(
        mirrors(&machine.files(), "example.com/foo/image"),
        [
            "mirror-0.example.net/mirror-for-foo pull resolve",
            "mirror-1.example.net:5000/mirrors/foo resolve insecure = true",
        ]
    );
    assert_eq!(mirrors(&machine.files(), "registry.example.com/x"), ["mirror.example.com pull"]);
    for (name, want) in [
        ("example.com/foobar", &[] as &[String]),
        ("example.com", &[]),
        ("example.org/x", &[]),
        ("a.b.example.org/x", &[format!("insecure = true ({file}:26)")]),
        ("a.deep.example.org/x", &[format!("location = moved.example.net ({file}:30)")]),
        ("exact.example.org/x", &[format!("blocked = true ({file}:34)")]),
    ] {
        assert_eq!(machine.used(name), want, "{name}");
    }
    assert_eq!(
        machine.notes("example.com"),
        [
            format!(
                "unqualified-search-registries ({file}:2) a name without a registry means Docker Hub here"
            ),
            format!("short-name-mode ({file}:3) not known here"),
            format!(
                "insecure ({file}:38) connections are those of the whole registry; say it for that"
            ),
        ]
    );
}

#[test]
fn the_first_version_of_registries_conf_is_a_list_of_registries() {
    let text = "[registries.search]\nregistries = ['a.example', 'b.example']\n\
                [registries.insecure]\nregistries = ['c.example:5000', 'both.example']\n\
                [registries.block]\nregistries = ['d.example', 'both.example']\n";
    let machine = Machine::new().file("etc/containers/registries.conf", text);
    let file = "etc/containers/registries.conf";
    assert_eq!(machine.used("c.example:5000"), [format!("insecure = true ({file}:4)")]);
    assert_eq!(machine.used("d.example/x"), [format!("blocked = true ({file}:6)")]);
    assert_eq!(machine.used("both.example").len(), 2);
    assert!(machine.used("a.example").is_empty());
    assert_eq!(machine.notes("a.example").len(), 1);
}

#[test]
fn an_alias_is_short_for_a_repository() {
    let machine = Machine::new()
        .file(
            "etc/containers/registries.conf.d/000-shortnames.conf",
            "[aliases]\n\"fedora\" = \"registry.fedoraproject.org/fedora\"\n\
             \"alpine\" = \"docker.io/library/alpine\"\n\"gone\" = \"quay.io/gone\"\n\
             \"ubi8/nodejs\" = \"registry.access.redhat.com/ubi8/nodejs\"\n",
        )
        .file("etc/containers/registries.conf.d/50.conf", "[aliases]\ngone = \"\"\n")
        .file(
            "home/.config/registry/hosts.toml",
            "[aliases]\nalpine = \"registry.corp:5000/alpine\"\n",
        );
    let files = machine.files();
    for (image, want) in [
        ("fedora", Some("registry.fedoraproject.org/fedora")),
        ("fedora:41", Some("registry.fedoraproject.org/fedora:41")),
        ("fedora:41@sha256:00", Some("registry.fedoraproject.org/fedora:41@sha256:00")),
        ("alpine:3", Some("registry.corp:5000/alpine:3")),
        ("ubi8/nodejs:1", Some("registry.access.redhat.com/ubi8/nodejs:1")),
        ("nodejs", None),
        ("gone", None),
        ("library/fedora", None),
        ("quay.io/fedora", None),
        ("", None),
    ] {
        assert_eq!(files.resolve(image).unwrap().as_deref(), want, "{image}");
    }
    let alias = files.alias("fedora:41").unwrap().unwrap();
    assert_eq!(alias.place.line, Some(2));
}
