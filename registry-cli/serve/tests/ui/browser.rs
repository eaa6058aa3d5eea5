//! The pages in a real browser.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use registry_serve::{Access, Registry};
use tokio::process::Command;

use crate::client::Client;
use crate::samples;

/// What a page has become after its script ran; `None`: there is no browser here.
async fn dom(url: &str) -> Option<String> {
    let Some(browser) = find() else {
        eprintln!("skipped: neither chromium nor google-chrome is installed");
        return None;
    };
    let profile = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(browser);
    command.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--no-proxy-server",
    ]);
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    command.args(["--dump-dom", url]).stdin(Stdio::null()).stderr(Stdio::null());
    let output = command.kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_secs(60), output).await;
    let output = output.expect("the browser is done within a minute").expect("the browser runs");
    let dom = String::from_utf8(output.stdout).expect("a DOM is UTF-8");
    assert!(dom.contains("</html>"), "{url}: {dom}");
    Some(dom)
}

fn find() -> Option<PathBuf> {
    let places = ["/usr/bin/chromium", "/usr/bin/google-chrome"];
    places.into_iter().map(Path::new).find(|path| path.exists()).map(Path::to_path_buf)
}

#[tokio::test]
async fn a_browser_shows_an_image_and_gives_its_commands_a_button() {
    let registry = Registry::builder().spawn().await.expect("a registry");
    samples::push(Client(registry.address())).await;
    let url = format!("{}/ui/r/library/sample:v1", registry.url());
    let Some(dom) = dom(&url).await else { return };
    let command = format!("docker pull {}/library/sample:v1", registry.host());
    // The script ran, so the policy lets it; nothing else adds buttons.
    let button = format!(
        "<code data-copy=\"\">{command}</code><button type=\"button\" aria-label=\"Copy: {command}\">Copy</button>"
    );
    assert!(dom.contains(&button), "{dom}");
    assert!(dom.contains("<h2>History</h2>"), "{dom}");
    registry.shutdown().await;
}

#[tokio::test]
async fn hostile_content_does_nothing_in_a_browser() {
    let registry = Registry::builder().spawn().await.expect("a registry");
    samples::push_hostile(Client(registry.address())).await;
    let url = format!("{}/ui/r/hostile:v1", registry.url());
    let Some(dom) = dom(&url).await else { return };
    assert!(dom.contains("<title>hostile:v1 · "), "{dom}");
    assert!(!dom.contains("<img"), "{dom}");
    assert_eq!(dom.matches("<script").count(), 1, "{dom}");
    registry.shutdown().await;
}

#[tokio::test]
async fn a_browser_that_has_a_password_needs_no_token() {
    let access = Access::bearer([("alice", "secret")]);
    let registry = Registry::builder().auth(access).spawn().await.expect("a registry");
    let Some(dom) = dom(&format!("http://alice:secret@{}/", registry.host())).await else { return };
    assert!(dom.contains("<h1>Repositories</h1>"), "{dom}");
    registry.shutdown().await;
}
