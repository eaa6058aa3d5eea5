//! A disk that is full.

use std::path::Path;
use std::process::Command;

use registry_serve::Registry;

use crate::client::{Client, error, sha256};

/// A file system of 1 MiB, until it is dropped.
struct Small(tempfile::TempDir);

impl Small {
    fn mount() -> Result<Self, String> {
        let directory = tempfile::tempdir().expect("a directory");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(directory.path());
        match mount.output() {
            Ok(output) if output.status.success() => Ok(Self(directory)),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_and_goes_on() {
    let small = match Small::mount() {
        Ok(small) => small,
        Err(reason) => return println!("skipped: no small file system: {reason}"),
    };
    let registry = Registry::builder().disk(small.path()).spawn().await.expect("spawn");
    let client = Client(registry.address());
    let manifest = client.push_image("app", "v1", "layer").await;

    let large = vec![b'x'; 2 << 20];
    let target = format!("/v2/app/blobs/uploads/?digest={}", sha256(&large));
    let refused = client.send("POST", &target, &[], &large).await;
    assert_eq!(refused.error(), error(507, "UNKNOWN"));

    // In a session what fits is kept, and the rest is refused; cancelling gives the space back.
    let location = client.begin("app").await;
    assert_eq!(client.send("PATCH", &location, &[], vec![b'x'; 600 << 10]).await.status, 202);
    let refused = client.send("PATCH", &location, &[], vec![b'x'; 600 << 10]).await;
    assert_eq!(refused.error(), error(507, "UNKNOWN"));
    let range = client.get(&location).await.header("range").map(str::to_owned);
    let kept: usize = range.expect("a range").trim_start_matches("0-").parse().expect("a number");
    assert!(((600 << 10) - 1..1 << 20).contains(&kept), "{kept}");
    assert_eq!(client.delete(&location).await.status, 204);

    assert_eq!(client.get("/v2/app/manifests/v1").await.body, manifest.as_bytes());
    client.push_image("app", "v2", "another layer").await;
    registry.shutdown().await;
}
