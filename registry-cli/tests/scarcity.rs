//! Machines that have little of everything, or less of it than is needed.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod served;

use std::{path::Path, process::Output};

use registry_faults::{
    content::Image,
    layout,
    origin::{Script, Stage},
    registry::Registry,
};

/// A registry with a small image.
fn stage() -> Stage {
    let registry = Registry::new().with_image("app", "v1", &Image::small());
    Stage::single(Script::registry(registry)).unwrap()
}

/// Pulls that image into `directory`, after the shell did `first`.
fn pull_after(first: &str, stage: &Stage, directory: &Path) -> Output {
    let script = format!(r#"{first}; exec "$0" "$@""#);
    served::alone("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_registry"), "pull", "--quiet"])
        .args([&format!("{}/app:v1", stage.host()), "out"])
        .current_dir(directory)
        .output()
        .unwrap()
}

/// What is temporary lies beside what it will be, however long the way there is.
#[test]
fn x07_f13_little_memory_few_files_one_processor_and_no_tmp_are_enough() {
    let stage = stage();
    let directory = tempfile::tempdir().unwrap();
    let deep = (0..12).fold(directory.path().to_owned(), |path, _| path.join("d".repeat(250)));
    std::fs::create_dir_all(&deep).unwrap();
    let script = "ulimit -v 2097152; ulimit -n 64; export TMPDIR=/nonexistent; \
                  if command -v taskset >/dev/null; then taskset -cp 0 $$ >/dev/null; fi";
    let output = pull_after(script, &stage, &deep);
    assert!(output.status.success(), "{output:?}");
    let fetched = layout::verified_blobs(&deep.join("out")).unwrap();
    assert_eq!(fetched.len(), 4);
}

/// A limit that is one higher each time makes another call the first to fail, until none does.
#[test]
fn e15_x08_whatever_call_lacks_a_file_or_a_byte_first_the_end_is_clean() {
    let stage = stage();
    // With less than eight files the runtime does not start: by a panic of its own.
    for (limit, steps) in [("-n", 8..64), ("-f", 0..440)] {
        let (mut failed, mut step) = (0, steps.start);
        loop {
            let directory = tempfile::tempdir().unwrap();
            let before = stage.log().seen.len();
            let script = format!("trap '' XFSZ; ulimit {limit} {step}");
            let output = pull_after(&script, &stage, directory.path());
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let out = directory.path().join("out");
            let fetched = layout::verified_blobs(&out).unwrap().len();
            let listed = layout::entries(&out).unwrap().len();
            if output.status.success() {
                assert_eq!((fetched, listed), (4, 1), "{limit} {step}: {said}");
                break;
            }
            assert!(said.starts_with("error: "), "{limit} {step}: {output:?}");
            assert!(matches!(output.status.code(), Some(1 | 7 | 8)), "{limit} {step}: {output:?}");
            assert_eq!(listed, 0, "{limit} {step}: {said}");
            let asked = stage.log().seen.len() - before;
            assert!(asked <= 4, "{limit} {step}: {asked} requests: {said}");
            failed += 1;
            // Files are counted one by one, sizes in steps of several blocks.
            step += if limit == "-n" { 1 } else { 23 };
            assert!(step < steps.end, "{limit} {step}: {said}");
        }
        assert!(failed > 2, "{limit}: {failed}");
    }
}
