//! Login, logout, and why a lookup has its answer.

#![allow(clippy::unwrap_used, clippy::panic, reason = "only tests")]

mod common;

use common::{Home, everything, fill, resource};
use registry_authn::explain::{Outcome, State};
use registry_authn::{Credential, Environment, ErrorKind, Kept, Logins};

const FILE: &str = ".docker/config.json";

fn logins(home: &Home) -> Logins {
    Logins::docker(&home.environment).unwrap()
}

fn text(home: &Home) -> String {
    std::fs::read_to_string(home.path(FILE)).unwrap()
}

#[tokio::test]
async fn what_is_saved_is_found_under_dockers_own_key() {
    let home = Home::new();
    let logins = logins(&home);
    let kept = logins.save(&resource("docker.io"), &Credential::basic("me", "p:w")).await.unwrap();
    assert_eq!(kept, Kept::InFile(home.path(FILE)));
    let id = Credential::IdentityToken("idtok".into());
    logins.save(&resource("ghcr.io/acme"), &id).await.unwrap();
    logins.save(&resource("quay.io"), &Credential::RegistryToken("rt".into())).await.unwrap();
    let wanted = "{\n\t\"auths\": {\n\t\t\"https://index.docker.io/v1/\": {\n\t\t\t\"auth\": \"b64(me:p:w)\"\n\t\t},\n\t\t\"ghcr.io/acme\": {\n\t\t\t\"identitytoken\": \"idtok\"\n\t\t},\n\t\t\"quay.io\": {\n\t\t\t\"registrytoken\": \"rt\"\n\t\t}\n\t}\n}\n";
    assert_eq!(text(&home), fill(wanted));
    assert_eq!(home.look_up("docker.io/a/b").await.unwrap(), "me / p:w");
    assert_eq!(home.look_up("ghcr.io/acme/app").await.unwrap(), "identity idtok");
    assert_eq!(home.look_up("ghcr.io/other").await.unwrap(), "nothing");
    assert!(logins.remove(&resource("docker.io")).await.unwrap());
    assert!(!logins.remove(&resource("docker.io")).await.unwrap());
    assert_eq!(home.look_up("docker.io").await.unwrap(), "nothing");
    assert_eq!(home.look_up("quay.io").await.unwrap(), "registry rt");
}

#[tokio::test]
async fn c03_everything_else_in_the_file_stays_as_it_is() {
    let before = fill(
        "\u{feff}{\n  \"psFormat\" : \"x\",\n  \"auths\": {\n    \"test.io\": { \"email\": \"x@y\", \"auth\": \"b64(old:1)\", \"password\": \"old\" },\n    \"other.io\":{\"n\":1.50E+2,\"auth\":\"A\"}\n  },\n  \"HttpHeaders\": {\"X\":\"y\"}\n}",
    );
    let home = Home::with_config(&before);
    let logins = logins(&home);
    logins.save(&resource("test.io"), &Credential::basic("new", "2")).await.unwrap();
    let wanted = fill(
        "{\n  \"psFormat\" : \"x\",\n  \"auths\": {\n    \"test.io\": {\n      \"auth\": \"b64(new:2)\",\n      \"email\": \"x@y\"\n    },\n    \"other.io\":{\"n\":1.50E+2,\"auth\":\"A\"}\n  },\n  \"HttpHeaders\": {\"X\":\"y\"}\n}",
    );
    assert_eq!(text(&home), wanted);
    assert!(logins.remove(&resource("test.io")).await.unwrap());
    let wanted = "{\n  \"psFormat\" : \"x\",\n  \"auths\": {\n    \"other.io\":{\"n\":1.50E+2,\"auth\":\"A\"}\n  },\n  \"HttpHeaders\": {\"X\":\"y\"}\n}";
    assert_eq!(text(&home), fill(wanted));
}

#[tokio::test]
async fn logging_out_forgets_every_spelling_and_no_other_key() {
    let home = Home::with_config(&fill(
        r#"{"auths":{"https://index.docker.io/v1/":{"auth":"A"},"docker.io":{"auth":"A"},"docker.io/a":{"auth":"A"}}}"#,
    ));
    assert!(logins(&home).remove(&resource("index.docker.io")).await.unwrap());
    assert_eq!(text(&home), fill(r#"{"auths":{"docker.io/a":{"auth":"A"}}}"#));
}

#[tokio::test]
async fn a_secret_goes_to_the_helper_that_the_file_names() {
    let home = Home::with_config(r#"{"credsStore":"memory","credHelpers":{"file.io":""}}"#)
        .with_helpers(&["memory"]);
    let store = home.path("store");
    std::fs::create_dir(&store).unwrap();
    let home = home.var("HELPER_STORE", store);
    let logins = logins(&home);
    for name in ["docker.io", "test.io", "test.io/a/b"] {
        let credential = Credential::basic("me", format!("secret of {name}"));
        let kept = logins.save(&resource(name), &credential).await.unwrap();
        assert_eq!(kept, Kept::ByHelper("docker-credential-memory".into()));
        assert_eq!(home.look_up(name).await.unwrap(), format!("me / secret of {name}"));
    }
    assert!(!text(&home).contains("secret") && !text(&home).contains("auth\""), "{}", text(&home));
    assert_eq!(home.look_up("test.io/a/b/c").await.unwrap(), "me / secret of test.io/a/b");
    logins.save(&resource("file.io"), &Credential::basic("foo", "bar")).await.unwrap();
    assert!(text(&home).contains(&fill(r#""A""#)));
    assert!(logins.remove(&resource("test.io")).await.unwrap());
    assert_eq!(home.look_up("test.io").await.unwrap(), "nothing");
    assert_eq!(home.look_up("test.io/a/b").await.unwrap(), "me / secret of test.io/a/b");
}

#[tokio::test]
async fn concurrent_logins_lose_nothing() {
    let home = Home::new();
    let tasks: Vec<_> = (0..24)
        .map(|n| {
            let logins = logins(&home);
            let name = format!("r{n}.io");
            tokio::spawn(async move {
                logins
                    .save(&resource(&name), &Credential::basic("me", name.as_str()))
                    .await
                    .unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    for n in 0..24 {
        assert_eq!(home.look_up(&format!("r{n}.io")).await.unwrap(), format!("me / r{n}.io"));
    }
    let files = std::fs::read_dir(home.path(".docker")).unwrap().count();
    assert_eq!(files, 1, "nothing is left beside the file");
}

#[cfg(unix)]
#[tokio::test]
async fn f12_the_file_is_private_and_a_link_stays_a_link() {
    use std::os::unix::fs::PermissionsExt as _;

    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let home = Home::new();
    let me = Credential::basic("me", "x");
    logins(&home).save(&resource("test.io"), &me).await.unwrap();
    assert_eq!((mode(home.path(FILE)), mode(home.path(".docker"))), (0o600, 0o700));

    let linked = Home::with_config("");
    let real = linked.write("dotfiles/docker.json", "{}");
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::remove_file(linked.path(FILE)).unwrap();
    std::os::unix::fs::symlink("../dotfiles/docker.json", linked.path(FILE)).unwrap();
    logins(&linked).save(&resource("test.io"), &me).await.unwrap();
    assert!(std::fs::symlink_metadata(linked.path(FILE)).unwrap().is_symlink());
    assert_eq!(linked.look_up("test.io").await.unwrap(), "me / x");
    assert_eq!(mode(real), 0o600);
}

#[tokio::test]
async fn a_broken_file_is_not_overwritten() {
    for broken in ["nope", "[]", r#"{"auths":[]}"#, r#"{"auths":{"#] {
        let home = Home::with_config(broken);
        let save =
            logins(&home).save(&resource("test.io"), &Credential::basic("me", "canary")).await;
        let error = save.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::File);
        assert!(!everything(&error).contains("canary"));
        assert!(logins(&home).remove(&resource("test.io")).await.is_err());
        assert_eq!(text(&home), broken);
    }
}

#[tokio::test]
async fn what_the_file_cannot_hold_is_refused() {
    let home = Home::new();
    for credential in
        [Credential::Anonymous, Credential::basic("a:b", "c"), Credential::basic("", "c")]
    {
        let error = logins(&home).save(&resource("test.io"), &credential).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
    }
    assert!(!home.path(FILE).exists());
    assert!(Logins::docker(&Environment::empty()).is_none());
}

#[tokio::test]
async fn explain_tells_what_was_looked_at_and_what_won() {
    let home = Home::with_config(&fill(
        r#"{"auths":{"test.io/a":{"auth":"A"}},"credHelpers":{"test.io":"echo"}}"#,
    ))
    .with_helpers(&["echo"]);
    let podman = home.write(
        ".config/containers/auth.json",
        fill(r#"{"auths":{"test.io/a":{},"https://test.io":{"auth":"b64(:x)"}}}"#),
    );
    let docker = home.path(FILE);
    let keychain = home.keychain();
    let told = keychain.explain(&resource("test.io/a/b")).await;
    let (docker, podman) = (docker.display().to_string(), podman.display().to_string());
    let expected = format!(
        "for test.io/a/b, looked at\n  {docker}\n  {podman}\nand found\n  \"test.io/a\" in {docker}: used, the password of \"foo\"\n  \"test.io/a\" in {podman}: holds nothing\n  \"test.io\" in {docker}, kept by docker-credential-echo: not used, what is above decides\n  \"https://test.io\" in {podman}: not used, what is above decides"
    );
    assert_eq!(told.to_string(), expected);
    assert!(home.asked().is_empty(), "a helper that decides nothing is not asked");

    let told = keychain.explain(&resource("test.io")).await;
    let outcomes: Vec<&Outcome> = told.candidates.iter().map(|found| &found.outcome).collect();
    let used = Outcome::Used("the password of \"user-test.io\"".into());
    assert_eq!(outcomes, [&used, &Outcome::Outranked]);
    assert!(!told.to_string().contains("sec\""));

    let nothing = keychain.explain(&resource("other.io")).await;
    assert!(nothing.to_string().ends_with("and found nothing"));

    std::fs::remove_file(&docker).unwrap();
    std::fs::write(&podman, "{").unwrap();
    let broken = home.keychain().explain(&resource("test.io")).await;
    assert_eq!(broken.places[0].state, State::Absent);
    assert!(matches!(&broken.places[1].state, State::Broken(why) if why.contains("is not JSON")));
}
