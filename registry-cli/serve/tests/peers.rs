//! Programs that others wrote do their whole work against this registry, where they are installed.
#![allow(clippy::expect_used, reason = "a test that cannot be set up has failed")]

use std::path::{Path, PathBuf};

use registry_faults::{alone, peers, sample};
use registry_serve::{Registry, Running};

/// A registry, a folder with a real image in it, and one of the programs.
struct Stage {
    running: Running,
    folder: tempfile::TempDir,
    program: PathBuf,
    digest: String,
}

impl Stage {
    /// In memory and on disk; none where the program is missing.
    async fn each(program: &str) -> Vec<Self> {
        let Some(program) = peers::find(program) else {
            registry_faults::skip!("{program} is neither in target/peers nor on PATH");
            return Vec::new();
        };
        let mut stages = Vec::new();
        for on_disk in [false, true] {
            let folder = tempfile::tempdir().expect("a folder");
            let image = sample::image(&folder.path().join("image"), "v1", 1 << 20);
            let digest = image.expect("an image").digest().to_owned();
            let mut registry = Registry::builder();
            if on_disk {
                registry = registry.disk(folder.path().join("store"));
            }
            let running = registry.spawn().await.expect("a free port");
            stages.push(Self { running, folder, program: program.clone(), digest });
        }
        stages
    }

    /// `127.0.0.1:PORT/p/NAME`
    fn repository(&self, name: &str) -> String {
        format!("{}/p/{name}", self.running.host())
    }

    /// What the program prints; it has to succeed.
    fn run(&self, words: &[&str]) -> String {
        let output = alone(&self.program, self.folder.path())
            .args(words)
            .current_dir(self.folder.path())
            .output()
            .expect("the program starts");
        let (out, err) = (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned());
        assert!(output.status.success(), "{words:?}: {err}");
        String::from_utf8_lossy(&out).trim().to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(self.folder.path()).join(name)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn crane_pushes_lists_copies_pulls_and_deletes() {
    for stage in Stage::each("crane").await {
        let (app, copy) = (stage.repository("app"), stage.repository("copy"));
        stage.run(&["push", "--insecure", "image", &format!("{app}:v1")]);
        assert_eq!(stage.run(&["ls", "--insecure", &app]), "v1");
        stage.run(&["copy", "--insecure", &format!("{app}:v1"), &format!("{copy}:v1")]);
        assert_eq!(stage.run(&["digest", "--insecure", &format!("{copy}:v1")]), stage.digest);
        stage.run(&["pull", "--insecure", "--format=oci", &format!("{copy}:v1"), "back"]);
        assert!(stage.path("back/index.json").exists());
        stage.run(&["delete", "--insecure", &format!("{copy}:v1")]);
        assert_eq!(stage.run(&["ls", "--insecure", &copy]), "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn skopeo_pushes_lists_copies_pulls_and_deletes() {
    for stage in Stage::each("skopeo").await {
        let image = |name: &str| format!("docker://{}:v1", stage.repository(name));
        let (plain, to_plain) = ("--src-tls-verify=false", "--dest-tls-verify=false");
        stage.run(&["copy", "--insecure-policy", to_plain, "oci:image:v1", &image("app")]);
        let between = ["copy", "--insecure-policy", plain, to_plain];
        stage.run(&[&between[..], &[image("app").as_str(), image("copy").as_str()]].concat());
        let name = format!("docker://{}", stage.repository("copy"));
        assert!(stage.run(&["list-tags", "--tls-verify=false", &name]).contains("v1"));
        let inspect = ["inspect", "--tls-verify=false", "--format={{.Digest}}", &image("copy")];
        assert_eq!(stage.run(&inspect), stage.digest);
        stage.run(&["copy", "--insecure-policy", plain, &image("copy"), "dir:back"]);
        assert!(stage.path("back/manifest.json").exists());
        stage.run(&["delete", "--tls-verify=false", &image("copy")]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn regctl_pushes_lists_copies_attaches_and_deletes() {
    for stage in Stage::each("regctl").await {
        stage.run(&["registry", "set", "--tls", "disabled", &stage.running.host()]);
        let (app, copy) = (stage.repository("app"), stage.repository("copy"));
        let tagged = format!("{copy}:v1");
        stage.run(&["image", "copy", "ocidir://image:v1", &format!("{app}:v1")]);
        stage.run(&["image", "copy", &format!("{app}:v1"), &tagged]);
        assert_eq!(stage.run(&["image", "digest", &tagged]), stage.digest);
        std::fs::write(stage.path("note"), "a note").expect("written");
        let attach = ["artifact", "put", "--artifact-type", "application/x.note", "--file", "note"];
        stage.run(&[&attach[..], &["--subject", tagged.as_str()]].concat());
        let count = ["artifact", "list", &tagged, "--format", "{{len .Descriptors}}"];
        assert_eq!(stage.run(&count), "1");
        stage.run(&["tag", "delete", &tagged]);
        assert_eq!(stage.run(&["tag", "ls", &copy]), "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn oras_pushes_attaches_discovers_copies_pulls_and_deletes() {
    for stage in Stage::each("oras").await {
        let (app, copy) = (stage.repository("app"), stage.repository("copy"));
        let (tagged, copied) = (format!("{app}:v1"), format!("{copy}:v1"));
        std::fs::write(stage.path("note"), "a note").expect("written");
        stage.run(&["push", "--plain-http", &tagged, "note:text/plain"]);
        let kind = ["--artifact-type", "application/x.note"];
        let attach = ["attach", "--plain-http", kind[0], kind[1], &tagged, "note:text/plain"];
        stage.run(&attach);
        stage.run(&["cp", "-r", "--from-plain-http", "--to-plain-http", &tagged, &copied]);
        let found = stage.run(&["discover", "--plain-http", "--format", "json", &copied]);
        assert!(found.contains("application/x.note"), "{found}");
        stage.run(&["pull", "--plain-http", "-o", "back", &copied]);
        let note = std::fs::read_to_string(stage.path("back/note")).expect("pulled");
        assert_eq!(note, "a note");
        stage.run(&["manifest", "delete", "--plain-http", "-f", &copied]);
        assert_eq!(stage.run(&["repo", "tags", "--plain-http", &copy]), "");
    }
}
