//! Who decides where several files say something.

use super::*;

fn everything() -> Machine {
    Machine::new()
        .file(
            "home/.config/registry/hosts.toml",
            "[registry.\"a.example\"]\nuser-agent = \"own\"\nca = \"own.pem\"\n",
        )
        .file(
            "etc/containerd/certs.d/a.example/hosts.toml",
            "ca = \"theirs.pem\"\nskip_verify = true\n[host.\"https://m.example\"]\n",
        )
        .file("etc/docker/certs.d/a.example/ca.crt", PEM)
        .file("etc/docker/certs.d/a.example/client.cert", PEM)
        .file("etc/docker/certs.d/a.example/client.key", PEM)
        .file(
            "etc/containers/registries.conf",
            "[[registry]]\nlocation = \"a.example\"\ninsecure = true\n\
             [[registry.mirror]]\nlocation = \"n.example\"\n",
        )
}

#[test]
fn each_setting_is_decided_by_the_most_important_kind_that_has_it() {
    let machine = everything();
    let names = |lines: Vec<String>| {
        lines
            .iter()
            .map(|line| {
                let (setting, file) = line.rsplit_once(" (").unwrap();
                let (name, _) = setting.split_once(" =").unwrap();
                format!("{name}: {}", file.split(':').next().unwrap().trim_end_matches(')'))
            })
            .collect::<Vec<_>>()
    };
    let (own, theirs) =
        ("home/.config/registry/hosts.toml", "etc/containerd/certs.d/a.example/hosts.toml");
    let (certs, conf) = ("etc/docker/certs.d/a.example", "etc/containers/registries.conf");
    assert_eq!(
        names(machine.used("a.example/x")),
        [
            format!("ca: {own}"),
            format!("user-agent: {own}"),
            format!("dangerously-skip-verify: {theirs}"),
            format!("mirror: {theirs}"),
            format!("client-certificate: {certs}/client.cert"),
            format!("insecure: {conf}"),
        ]
    );
    assert_eq!(
        names(machine.outranked("a.example/x")),
        [format!("ca: {theirs}"), format!("ca: {certs}"), format!("mirror: {conf}")]
    );
}

#[test]
fn a_flag_counts_more_than_any_file() {
    let machine = Machine::new()
        .file("home/.config/registry/hosts.toml", "[registry.\"a.example\"]\nplain-http = true\n");
    let registry: Registry = "a.example".parse().unwrap();
    let files = machine.files();
    let (_, host) = files.host(&registry, "").unwrap();
    assert!(format!("{host:?}").contains("plain: Some(true)"), "{host:?}");
    let files = files.flag(registry.clone(), Setting::PlainHttp(false), "--tls");
    let (_, host) = files.host(&registry, "").unwrap();
    assert!(format!("{host:?}").contains("plain: Some(false)"), "{host:?}");
    let explanation = files.explain(&registry, None);
    assert_eq!(explanation.used().next().unwrap().place.to_string(), "--tls");
    assert_eq!(explanation.decisions[1].outcome, Outcome::Outranked);
}

#[test]
fn a_flag_changes_the_scheme_of_an_endpoint_too() {
    let machine = Machine::new().file(
        "home/.config/registry/hosts.toml",
        "[registry.\"a.example\"]\nendpoint = \"https://b.example:8443\"\n",
    );
    let registry: Registry = "a.example".parse().unwrap();
    let files = machine.files().flag(registry.clone(), Setting::PlainHttp(true), "--plain-http");
    let (_, host) = files.host(&registry, "").unwrap();
    assert!(format!("{host:?}").contains("http://b.example:8443/"), "{host:?}");
}

#[test]
fn locations_for_two_prefixes_are_said_for_the_longer_one() {
    let machine = Machine::new()
        .file(
            "home/.config/registry/hosts.toml",
            "[[rewrite]]\nprefix = \"a.example\"\nlocation = \"own.example/base\"\n",
        )
        .file(
            "etc/containers/registries.conf",
            "[[registry]]\nlocation = \"a.example/team/app\"\n\
             [[registry.mirror]]\nlocation = \"m.example/copy\"\n",
        );
    let (prefix, host) = machine.files().host(&"a.example".parse().unwrap(), "team/app/x").unwrap();
    assert_eq!(prefix.to_string(), "a.example/team/app");
    let host = format!("{host:?}");
    assert!(host.contains("base/team/app"), "{host}");
    let (_, mirror) = host.split_once("m.example").unwrap();
    assert!(mirror.contains("\"copy\""), "{host}");
}

#[test]
fn an_endpoint_of_a_more_important_file_is_not_moved() {
    let machine = Machine::new()
        .file(
            "home/.config/registry/hosts.toml",
            "[registry.\"a.example\"]\nendpoint = \"https://10.0.0.1\"\n",
        )
        .file(
            "etc/containers/registries.conf",
            "[[registry]]\nprefix = \"a.example\"\nlocation = \"b.example\"\n",
        );
    assert_eq!(machine.used("a.example/x").len(), 1);
    assert_eq!(machine.outranked("a.example/x").len(), 1);
}

#[test]
fn drop_in_files_are_read_in_the_order_of_their_names_and_the_user_s_last() {
    let conf =
        |blocked: bool| format!("[[registry]]\nlocation = \"a.example\"\nblocked = {blocked}\n");
    let machine = Machine::new()
        .file("etc/containers/registries.conf", conf(true))
        .file("etc/containers/registries.conf.d/10.conf", conf(false))
        .file("etc/containers/registries.conf.d/20.conf", conf(true))
        .file("etc/containers/registries.conf.d/30.txt", "not TOML")
        .file("etc/containers/registries.conf.d/40.conf/x", "not TOML");
    let used = |machine: &Machine| machine.used("a.example")[0].clone();
    assert_eq!(used(&machine), "blocked = true (etc/containers/registries.conf.d/20.conf:3)");
    assert_eq!(
        machine.notes("a.example")[0],
        "a.example (etc/containers/registries.conf:1) etc/containers/registries.conf.d/10.conf:1 \
         [[registry]] is about the same prefix, and later"
    );
    let machine = machine.file("home/.config/containers/registries.conf.d/00.conf", conf(false));
    assert_eq!(
        used(&machine),
        "blocked = false (home/.config/containers/registries.conf.d/00.conf:3)"
    );
    // A user's own main file takes the place of the system's files.
    let machine = machine.file("home/.config/containers/registries.conf", "");
    assert_eq!(
        used(&machine),
        "blocked = false (home/.config/containers/registries.conf.d/00.conf:3)"
    );
    assert!(machine.notes("a.example").is_empty());
}

#[test]
fn a_variable_names_the_one_registries_conf() {
    let machine = Machine::new()
        .file(
            "etc/containers/registries.conf",
            "[[registry]]\nlocation = \"a.example\"\nblocked = true\n",
        )
        .file("mine.conf", "[[registry]]\nlocation = \"a.example\"\ninsecure = true\n");
    let environment =
        machine.environment().var("CONTAINERS_REGISTRIES_CONF", machine.path("mine.conf"));
    let files = HostFiles::read(Places::of(&environment, machine.0.path()));
    let explanation = explain(&files, "a.example");
    let used: Vec<_> = explanation.used().map(|said| said.setting.name()).collect();
    assert_eq!(used, ["insecure"]);

    let environment = machine.environment().var("CONTAINERS_REGISTRIES_CONF", "/nonexistent/conf");
    let files = HostFiles::read(Places::of(&environment, machine.0.path()));
    let broken = explain(&files, "a.example").broken().unwrap().to_string();
    assert_eq!(broken, "/nonexistent/conf: there is no such file");
}

#[test]
fn xdg_config_home_is_where_the_user_s_files_are() {
    let machine = Machine::new()
        .file("home/.config/registry/hosts.toml", "broken")
        .file("xdg/registry/hosts.toml", "[registry.\"a.example\"]\nblocked = true\n");
    let environment = machine.environment().var("XDG_CONFIG_HOME", machine.path("xdg"));
    let files = HostFiles::read(Places::user(&environment));
    assert_eq!(explain(&files, "a.example").used().count(), 1);
}

#[test]
fn a_mirror_s_own_host_is_a_registry_too() {
    let machine = Machine::new()
        .file(
            "home/.config/registry/hosts.toml",
            "[registry.\"m.example:5000\"]\nuser-agent = \"for the mirror\"\n\
             [registry.\"n.example\"]\nblocked = true\n",
        )
        .file(
            "etc/containerd/certs.d/a.example/hosts.toml",
            "[host.\"https://n.example\"]\n[host.\"https://m.example:5000\"]\nskip_verify = true\n",
        )
        .file("etc/docker/certs.d/m.example:5000/ca.crt", PEM);
    let (_, host) = machine.files().host(&"a.example".parse().unwrap(), "x").unwrap();
    let host = format!("{host:?}");
    assert!(host.contains("for the mirror"), "{host}");
    assert!(host.contains("certificates: 1"), "{host}");
    assert!(host.contains("any_certificate: Some(true)"), "{host}");
    assert!(!host.contains("n.example"), "a blocked registry is no mirror: {host}");
}
