use std::{fs::File, path::Path, time::Duration};

use bytes::Bytes;
use registry_name::Algorithm;

use super::*;
use crate::{
    local::partial::{Claim, claim},
    verify,
};

const SIZE: usize = 3 << 20;

fn content() -> Vec<u8> {
    (0..SIZE as u64).map(|at| at.wrapping_mul(0x9e37_79b9).to_le_bytes()[2]).collect()
}

fn descriptor(content: &[u8]) -> Descriptor {
    let digest = verify::digest(Algorithm::Sha256, content);
    Descriptor::new("application/octet-stream", digest, content.len() as u64)
}

struct Stage {
    file: Arc<File>,
    slot: Slot,
}

/// A slot somewhere inside a file.
fn stage() -> Stage {
    let file = Arc::new(tempfile::tempfile().unwrap());
    Stage { slot: Slot::new(Arc::clone(&file), 1000, Path::new("test")), file }
}

impl Stage {
    fn read(&self, size: usize) -> Bytes {
        super::super::read::bytes_at(&self.file, 1000..1000 + size as u64).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pieces_in_any_order_and_from_several_tasks_are_hashed_once_and_in_order() {
    let content = Arc::new(content());
    for seed in 0..8_u64 {
        let stage = stage();
        let assembly = Assembly::new(&stage.slot, &descriptor(&content), "test", None);
        let mut pieces: Vec<_> = (0..SIZE).step_by(64 << 10).collect();
        pieces.sort_by_key(|at| (*at as u64 ^ seed.wrapping_mul(0x1234_5000)).wrapping_mul(seed));
        let tasks: Vec<_> = (0..4)
            .map(|worker| {
                let mine: Vec<_> = pieces.iter().skip(worker).step_by(4).copied().collect();
                let (assembly, content) = (Arc::clone(&assembly), Arc::clone(&content));
                blocking(move || {
                    for at in mine {
                        assembly.write(at as u64, &content[at..at + (64 << 10)])?;
                    }
                    Ok(())
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assembly.judge().await.unwrap();
        assert_eq!(assembly.missing_from(), SIZE as u64);
        assert_eq!(stage.read(SIZE), **content);
    }
}

#[tokio::test]
async fn what_is_here_already_is_hashed_and_never_written_again() {
    let content = content();
    let stage = stage();
    stage.slot.write_at(0, &content[..1 << 20]).unwrap();
    stage.slot.write_at(2 << 20, &content[2 << 20..]).unwrap();
    let mut known = Spans::default();
    known.insert(0..1 << 20);
    known.insert(2 << 20..3 << 20);
    let assembly = Assembly::new(&stage.slot, &descriptor(&content), "test", Some(known));
    assert_eq!(assembly.missing_from(), 1 << 20);
    // Other bytes for what was hashed already must not arrive.
    let mut damaged = content.clone();
    damaged[10] ^= 1;
    damaged[(2 << 20) + 10] ^= 1;
    assembly.write(0, &damaged).unwrap();
    assembly.judge().await.unwrap();
    assert_eq!(stage.read(SIZE), content);
}

#[tokio::test]
async fn f08_known_bytes_that_were_altered_are_found_out_at_the_end() {
    let content = content();
    let stage = stage();
    stage.slot.write_at(0, &content[..1 << 20]).unwrap();
    stage.slot.write_at(77, b"altered").unwrap();
    let mut known = Spans::default();
    known.insert(0..1 << 20);
    let assembly = Assembly::new(&stage.slot, &descriptor(&content), "test", Some(known));
    assembly.write(1 << 20, &content[1 << 20..]).unwrap();
    let error = assembly.judge().await.unwrap_err();
    assert!(matches!(error, Error::Integrity { mismatch: Mismatch::Digest { .. }, .. }), "{error}");
}

#[tokio::test]
async fn what_is_missing_or_too_much_is_a_wrong_size() {
    let content = content();
    let stage = stage();
    let assembly = Assembly::new(&stage.slot, &descriptor(&content), "test", None);
    let error = assembly.write(SIZE as u64 - 1, b"12").unwrap_err();
    assert!(matches!(error, Error::Integrity { mismatch: Mismatch::Size { .. }, .. }), "{error}");
    assembly.write(0, &content[..10]).unwrap();
    assembly.write(20, &content[20..]).unwrap();
    let error = assembly.judge().await.unwrap_err();
    let Error::Integrity { mismatch: Mismatch::Size { actual: 10, .. }, .. } = error else {
        panic!("{error}");
    };
}

#[tokio::test]
async fn a_file_that_is_shorter_than_what_is_said_to_be_in_it_is_an_error_and_no_hang() {
    let content = content();
    let stage = stage();
    stage.slot.write_at(0, &content[..100]).unwrap();
    let mut known = Spans::default();
    known.insert(0..SIZE as u64);
    let assembly = Assembly::new(&stage.slot, &descriptor(&content), "test", Some(known));
    let error = assembly.judge().await.unwrap_err();
    assert!(matches!(error, Error::Integrity { mismatch: Mismatch::Size { .. }, .. }), "{error}");
}

#[tokio::test]
async fn what_was_written_is_noted_behind_the_blob() {
    let content = content();
    let stage = stage();
    let assembly =
        Assembly::new(&stage.slot, &descriptor(&content), "test", Some(Spans::default()));
    assembly.write(100, &content[100..200]).unwrap();
    let note = stage.slot.read_at(SIZE as u64..SIZE as u64 + 1000).unwrap();
    assert_eq!(note, format!("registry-partial-1 {SIZE} 100-200 .\n"));
}

/// It takes every byte, and no disk is behind it.
#[cfg(unix)]
#[tokio::test]
async fn what_the_disk_says_while_bytes_still_come_is_not_lost() {
    let content = Bytes::from(vec![7; usize::try_from(BEHIND).unwrap()]);
    let file = File::options().write(true).open("/dev/null").unwrap();
    let slot = Slot::new(Arc::new(file), 0, Path::new("test"));
    let assembly = Assembly::new(&slot, &descriptor(&content), "test", None);
    assembly.write(0, &content).unwrap();
    let error = assembly.judge().await.unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Local, "{error}");
}

/// D25, in a file that is larger than this on paper only.
#[cfg(unix)]
#[tokio::test]
async fn d25_bytes_beyond_4_gib_are_where_they_belong_and_the_next_process_knows_of_them() {
    use std::os::unix::fs::MetadataExt as _;

    let directory = tempfile::tempdir().unwrap();
    let blob = Descriptor::new(
        "application/octet-stream",
        verify::digest(Algorithm::Sha256, b"never judged"),
        (4 << 30) + 11,
    );
    let target = directory.path().join(blob.digest.hex());
    let claim = || match claim(&target, &blob, || false).unwrap() {
        Claim::Ours(draft) => draft,
        other => panic!("{other:?}"),
    };
    let draft = claim();
    let known = draft.known().cloned();
    let assembly = Assembly::new(&draft.slot(0), &blob, "test", known);
    assembly.write((4 << 30) + 1, b"0123456789").unwrap();
    assembly.write((4 << 30) - 2, b"abc").unwrap();
    let allocated = draft.metadata().unwrap().blocks() * 512;
    assert!(allocated < 1 << 20, "{allocated} bytes on the disk");
    drop((assembly, draft));

    let draft = claim();
    let mut expected = Spans::default();
    expected.insert((4 << 30) - 2..(4 << 30) + 11);
    assert_eq!(draft.known(), Some(&expected));
    let found = draft.slot(0).read_at((4 << 30) - 3..blob.size).unwrap();
    assert_eq!(found, Bytes::from_static(b"\0abc0123456789"));
}

#[test]
fn what_nobody_waits_for_any_more_is_not_read_back_to_its_end() {
    const HUGE: u64 = 256 << 30;
    let file = Arc::new(tempfile::tempfile().unwrap());
    file.set_len(HUGE).unwrap();
    let blob = Descriptor { size: HUGE, ..descriptor(b"") };
    let mut known = Spans::default();
    known.insert(0..HUGE);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let slot = Slot::new(Arc::clone(&file), 0, Path::new("test"));
        drop(Assembly::new(&slot, &blob, "test", Some(known)));
    });
    runtime.shutdown_timeout(Duration::from_secs(20));
    assert_eq!(Arc::strong_count(&file), 1);
}
