//! The main job, end to end, on this machine alone: a real image is packed, pushed, listed, inspected, copied, pulled back and verified,
//! with the very binary that users get. Nothing is left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use registry_faults::{alone, layout, sample};

use crate::run::{Profile, registry_binary};
use crate::serving::Serving;

/// How wide the output is.
const COLUMNS: usize = 80;

/// How many bytes of files the image holds, about.
const SIZE: u64 = 24 << 20;

pub(crate) fn run() -> Result<()> {
    let program = registry_binary(Profile::Dev)?;
    let started = Instant::now();
    let folder = tempfile::tempdir()?;
    let shell = Shell { program, folder: folder.path().to_owned() };

    println!("A registry on this machine, in memory:\n");
    let serving = shell.serve()?;
    let host = serving.host()?;

    println!("\nA real image, of files of this machine:\n");
    let begun = Instant::now();
    let image = sample::image(&folder.path().join("image"), "v1", SIZE)?;
    println!(
        "  packed into the OCI layout `image` in {}: {} blobs,\n  {} of files as {} of gzip and zstd layers",
        seconds(begun.elapsed()),
        image.blobs,
        mebibytes(image.content),
        mebibytes(image.stored),
    );

    println!("\nIt travels:\n");
    let (app, copy) = (format!("{host}/demo/app"), format!("{host}/demo/copy"));
    shell.show(&["push", "oci:image:v1", &format!("{app}:v1")])?;
    shell.show(&["ls", &app])?;
    let digest = shell.show(&["digest", &format!("{app}:v1")])?;
    shell.show(&["manifest", &format!("{app}:v1")])?;
    shell.show(&["config", &format!("{app}:v1")])?;
    shell.show(&["copy", &format!("{app}:v1"), &format!("{copy}:v1")])?;
    shell.show(&["catalog", host])?;
    shell.show(&["pull", &format!("{copy}:v1"), "oci:back:v1"])?;

    println!("\nVerified, with nothing of this library:\n");
    ensure!(digest.trim() == image.digest(), "the registry names another digest: {digest}");
    let bytes = verify(&folder.path().join("image"), &folder.path().join("back"))?;
    println!("  what came back is what was packed, byte for byte: {}", mebibytes(bytes));
    println!("  {}", image.digest());

    drop(serving);
    folder.close().context("the temporary files cannot be removed")?;
    println!("\nAll of it took {}, and nothing is left behind.", seconds(started.elapsed()));
    Ok(())
}

/// Compares two layouts file by file, and every file with its name; returns how many bytes there are.
fn verify(packed: &Path, back: &Path) -> Result<u64> {
    let sent = layout::verified_blobs(packed)?;
    let received = layout::verified_blobs(back)?;
    ensure!(sent == received, "other blobs came back: {received:?}, not {sent:?}");
    let (tag, other) = (layout::resolve(packed, "v1")?, layout::resolve(back, "v1")?);
    ensure!(tag == other, "the tag names {other:?}, not {tag:?}");
    let mut bytes = 0;
    for digest in sent {
        let path = Path::new("blobs").join(digest.replacen(':', "/", 1));
        let (one, other) = (fs::read(packed.join(&path))?, fs::read(back.join(&path))?);
        ensure!(one == other, "{digest} came back with other bytes");
        bytes += one.len() as u64;
    }
    Ok(bytes)
}

/// Runs `registry` where the image lies, and shows what it does.
struct Shell {
    program: PathBuf,
    folder: PathBuf,
}

impl Shell {
    fn command(&self, words: &[&str]) -> Command {
        // Nobody's credentials are needed, and none are looked for.
        let mut command = alone(&self.program, &self.folder);
        command.args(words).current_dir(&self.folder).stdin(Stdio::null());
        command
    }

    /// Runs one command, shows it and what it says, and returns its standard output.
    fn show(&self, words: &[&str]) -> Result<String> {
        println!("$ registry {}", words.join(" "));
        let output = self.command(words).output()?;
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr);
        stdout.lines().chain(stderr.lines()).for_each(show_line);
        if !output.status.success() {
            bail!("registry {} failed ({})", words.join(" "), output.status);
        }
        Ok(stdout)
    }

    /// Starts `registry serve`, and shows its address.
    fn serve(&self) -> Result<Serving> {
        let words = ["serve", "--address", "127.0.0.1:0"];
        println!("$ registry {}", words.join(" "));
        let serving = Serving::start(self.command(&words))?;
        show_line(&serving.url);
        Ok(serving)
    }
}

/// Prints a line, indented; a reference that is too wide continues after its `@`, anything else is cut.
fn show_line(line: &str) {
    let room = COLUMNS - 2;
    if line.chars().count() <= room {
        println!("  {line}");
    } else if let Some((name, digest)) =
        line.split_once('@').filter(|(_, d)| d.starts_with("sha256:"))
    {
        println!("  {name}\n    @{digest}");
    } else {
        let start: String = line.chars().take(room - 1).collect();
        println!("  {start}…");
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn mebibytes(bytes: u64) -> String {
    let tenths = bytes * 10 / (1 << 20);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}
