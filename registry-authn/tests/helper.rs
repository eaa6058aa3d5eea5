//! Credential helpers: the protocol, and helpers that do not keep to it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "only tests")]

mod common;

use std::time::Duration;

use common::{Home, everything, show};
use registry_authn::helper::Helper;
use registry_authn::{Credential, Environment, ErrorKind};

const SERVER: &str = "https://registry.example/v1/";

fn helper(home: &Home, name: &str) -> Helper {
    Helper::new(name, &home.environment).unwrap()
}

#[tokio::test]
async fn what_is_stored_is_found_listed_and_erased() {
    let home = Home::new().with_helpers(&["memory"]);
    let store = home.path("store");
    std::fs::create_dir(&store).unwrap();
    let home = home.var("HELPER_STORE", store);
    let memory = helper(&home, "memory");
    assert_eq!(memory.get(SERVER).await.unwrap(), None);
    let secret = "p\"ä:\\ss\n".repeat(20_000); // more than a pipe holds
    memory.store(SERVER, &Credential::basic("me", "first")).await.unwrap();
    memory.store("other.example", &Credential::IdentityToken("idtok".into())).await.unwrap();
    assert_eq!(memory.get(SERVER).await.unwrap(), Some(Credential::basic("me", "first")));
    let other = memory.get("other.example").await.unwrap();
    assert_eq!(other, Some(Credential::IdentityToken("idtok".into())));
    let users: Vec<_> = memory.list().await.unwrap().into_iter().collect();
    let expected = [(SERVER, "me"), ("other.example", "<token>")];
    assert_eq!(users, expected.map(|(server, user)| (server.to_owned(), user.to_owned())));
    memory.store("large.example", &Credential::basic("me", secret)).await.unwrap();
    memory.erase(SERVER).await.unwrap();
    memory.erase(SERVER).await.unwrap();
    assert_eq!(memory.get(SERVER).await.unwrap(), None);
}

#[tokio::test]
async fn what_a_helper_cannot_keep_is_refused_before_it_is_run() {
    let home = Home::new().with_helpers(&["echo"]);
    let echo = helper(&home, "echo");
    for credential in [Credential::Anonymous, Credential::RegistryToken("t".into())] {
        let error = echo.store(SERVER, &credential).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
    }
    assert!(home.asked().is_empty());
}

#[tokio::test]
async fn c10_a_server_with_control_characters_never_reaches_a_helper() {
    let home = Home::new().with_helpers(&["echo"]);
    let echo = helper(&home, "echo");
    for server in ["", "a\nb", "a\r", "\0", "a\u{7f}", "a\u{85}b", "host\nprotocol=https"] {
        assert_eq!(echo.get(server).await.unwrap_err().kind(), ErrorKind::Input, "{server:?}");
        assert_eq!(echo.erase(server).await.unwrap_err().kind(), ErrorKind::Input);
        let credential = Credential::basic("u", "p");
        assert_eq!(echo.store(server, &credential).await.unwrap_err().kind(), ErrorKind::Input);
    }
    assert!(home.asked().is_empty());
}

#[test]
fn c09_a_helpers_name_is_a_word() {
    let environment = Environment::empty();
    for name in ["", "../../x", "a/b", "a b", "$(x)", "a\0", "a\nb", "ä", "a;b", "a\\b"] {
        let error = Helper::new(name, &environment).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input, "{name:?}");
        assert!(!error.to_string().contains(char::is_control));
    }
    for name in ["pass", "ecr-login", "acr_env", "x.y-1"] {
        let program = Helper::new(name, &environment).unwrap().program().to_owned();
        assert_eq!(program, format!("docker-credential-{name}"));
    }
}

#[tokio::test]
async fn c07_a_failure_says_how_it_ended_and_not_what_was_said() {
    let home = Home::new().with_helpers(&["fail", "garbage", "nouser", "yes", "nooutput"]);
    for (name, message) in [
        ("fail", "docker-credential-fail failed: exit status: 3"),
        ("nouser", "docker-credential-nouser gave a secret without a user name"),
        ("yes", "docker-credential-yes answered more than 64 KiB"),
        (
            "garbage",
            "docker-credential-garbage gave an answer that is not of the credential helper protocol",
        ),
        (
            "nooutput",
            "docker-credential-nooutput gave an answer that is not of the credential helper protocol",
        ),
        ("missing", "docker-credential-missing is not installed on PATH"),
    ] {
        let error = helper(&home, name).get(SERVER).await.unwrap_err();
        assert_eq!(error.to_string(), message);
        assert!(!everything(&error).contains("canary"), "{}", everything(&error));
    }
}

/// A program in the current directory, or in one that is relative to it, is not the user's helper.
#[cfg(unix)]
#[tokio::test]
async fn helpers_are_found_in_absolute_directories_of_path_only() {
    let home = Home::new().with_helpers(&["echo"]);
    let mut relative = std::path::PathBuf::new();
    let here = std::env::current_dir().unwrap();
    here.components().skip(1).for_each(|_| relative.push(".."));
    relative.push(home.path("bin").strip_prefix("/").unwrap());
    assert!(relative.join("docker-credential-echo").exists());
    for path in ["", ".", "bin", relative.to_str().unwrap()] {
        let environment = home.environment.clone().var("PATH", path);
        let error = Helper::new("echo", &environment).unwrap().get(SERVER).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::HelperMissing, "{path:?}");
    }
    let error = Helper::new("echo", &Environment::empty()).unwrap().get(SERVER).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::HelperMissing);
}

#[tokio::test]
async fn a_helper_sees_the_environment_that_was_passed_and_no_other() {
    let home = Home::new().with_helpers(&["environment", "memory"]);
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some(), "run by cargo");
    let found = helper(&home, "environment").get(SERVER).await.unwrap().unwrap();
    assert_eq!(show(&found), "u / s");
    let error = helper(&home, "memory").get(SERVER).await.unwrap_err();
    assert_eq!(error.to_string(), "docker-credential-memory failed: exit status: 64");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_helper_that_hangs_is_ended_when_its_time_is_up() {
    let home = Home::new().with_helpers(&["hang"]);
    let hang = helper(&home, "hang").timeout(Duration::from_millis(100));
    let error = hang.get(SERVER).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::HelperTimeout);
    assert!(error.to_string().starts_with("docker-credential-hang did not answer within 0.1 s"));
}

/// X02: nothing is left running when the caller goes away.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn x02_a_helper_that_nobody_waits_for_ends_with_its_children() {
    let home = Home::new().with_helpers(&["hang"]);
    let child = home.path("child");
    let home = home.var("HELPER_CHILD", &child);
    let hang = helper(&home, "hang");
    let waiting = tokio::spawn(async move { hang.get(SERVER).await });
    let pid = until(|| std::fs::read_to_string(&child).ok()?.parse::<u32>().ok()).await;
    assert!(is_running(pid));
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    until(|| (!is_running(pid)).then_some(())).await;
}

/// An agent that a helper starts inherits its output and outlives it.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_child_that_keeps_the_output_open_does_not_hold_the_answer_up() {
    let home = Home::new().with_helpers(&["leave-child"]);
    let child = home.path("child");
    let home = home.var("HELPER_CHILD", &child);
    let found = helper(&home, "leave-child").get(SERVER).await.unwrap().unwrap();
    assert_eq!(show(&found), "u / s");
    let pid: i32 = std::fs::read_to_string(child).unwrap().parse().unwrap();
    assert!(is_running(pid.unsigned_abs()), "the agent is the helper's business");
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[cfg(target_os = "linux")]
fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}

/// Polls for something that another process does.
#[cfg(target_os = "linux")]
async fn until<T>(mut done: impl FnMut() -> Option<T>) -> T {
    for _ in 0..3000 {
        if let Some(result) = done() {
            return result;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited for 30 seconds");
}

mod pass {
    //! The real thing: Debian's `golang-docker-credential-helpers` and `pass`.

    use std::process::{Command, Stdio};

    use super::*;

    /// What is missing on this machine.
    fn missing() -> Option<&'static str> {
        ["docker-credential-pass", "pass", "gpg"].into_iter().find(|program| {
            !["/usr/bin", "/usr/local/bin", "/bin"]
                .iter()
                .any(|directory| std::path::Path::new(directory).join(program).is_file())
        })
    }

    fn run(environment: &[(&str, String)], program: &str, arguments: &[&str]) {
        let status = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{program} {arguments:?}: {status}");
    }

    #[tokio::test]
    async fn docker_credential_pass_keeps_finds_lists_and_forgets() {
        if let Some(program) = missing() {
            println!(
                "skipped: no {program} here (apt install golang-docker-credential-helpers pass)"
            );
            return;
        }
        let home = Home::with_config(r#"{"credsStore":"pass"}"#);
        let gnupg = home.path("gnupg");
        std::fs::create_dir(&gnupg).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&gnupg, std::fs::Permissions::from_mode(0o700)).unwrap();
        }
        let text = |path: std::path::PathBuf| path.to_str().unwrap().to_owned();
        let variables = [
            ("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
            ("HOME", text(home.directory.path().to_owned())),
            ("GNUPGHOME", text(gnupg)),
            ("PASSWORD_STORE_DIR", text(home.path("store"))),
        ];
        let key = "registry-authn@example.invalid";
        let generate = [
            "--batch",
            "--passphrase",
            "",
            "--quick-generate-key",
            key,
            "default",
            "default",
            "never",
        ];
        run(&variables, "gpg", &generate);
        run(&variables, "pass", &["init", key]);
        let home = variables.iter().fold(home, |home, (name, value)| home.var(name, value));

        let pass = helper(&home, "pass");
        assert_eq!(pass.get(SERVER).await.unwrap(), None);
        assert!(pass.list().await.unwrap().is_empty());
        pass.store("registry.example", &Credential::basic("me", "s3cret: ü")).await.unwrap();
        let hub = Credential::IdentityToken("idtok".into());
        pass.store("https://index.docker.io/v1/", &hub).await.unwrap();
        assert_eq!(home.look_up("registry.example/a/b").await.unwrap(), "me / s3cret: ü");
        assert_eq!(home.look_up("docker.io").await.unwrap(), "identity idtok");
        assert_eq!(home.look_up("other.example").await.unwrap(), "nothing");
        assert_eq!(pass.list().await.unwrap().len(), 2);
        pass.erase("registry.example").await.unwrap();
        assert_eq!(pass.get("registry.example").await.unwrap(), None);
        run(&variables, "gpgconf", &["--kill", "gpg-agent"]);
    }
}
