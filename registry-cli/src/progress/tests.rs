use registry_remote::{Descriptor, Stored};

use super::*;
use crate::system::Captured;

fn digest(n: u8) -> Digest {
    format!("sha256:{n:064x}").parse().unwrap()
}

fn blob(n: u8, size: u64) -> Descriptor {
    Descriptor::new("application/octet-stream", digest(n), size)
}

#[test]
fn sizes_are_short_and_in_powers_of_1024() {
    for (bytes, text) in [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (1024 * 1024 - 1, "1023.9 KiB"),
        (1024 * 1024, "1.0 MiB"),
        (5 * 1024 * 1024 * 1024, "5.0 GiB"),
        (u64::MAX, "16777215.9 TiB"),
    ] {
        assert_eq!(size(bytes), text, "{bytes}");
    }
}

#[test]
fn a_tally_follows_blobs_that_resume_and_blobs_that_were_there() {
    let mut tally = Tally::default();
    let mut count = |event| {
        tally.count(&event);
        tally.line(Duration::from_secs(2))
    };
    count(CopyEvent::Planned { blobs: 3, bytes: 4096, manifests: 1 });
    count(CopyEvent::Reading { blob: digest(1), offset: 0 });
    let line = count(CopyEvent::Moved { blob: digest(1), bytes: 2048 });
    assert_eq!(line, "0/3 blobs, 2.0 KiB of 4.0 KiB, 1.0 KiB/s");
    let line = count(CopyEvent::Reading { blob: digest(1), offset: 1024 });
    assert_eq!(line, "0/3 blobs, 1.0 KiB of 4.0 KiB, 1.0 KiB/s");
    count(CopyEvent::Moved { blob: digest(1), bytes: 2048 });
    let line = count(CopyEvent::Blob { blob: blob(1, 3072), stored: Stored::Written });
    assert_eq!(line, "1/3 blobs, 3.0 KiB of 4.0 KiB, 2.0 KiB/s");
    let line = count(CopyEvent::Blob { blob: blob(2, 1024), stored: Stored::Present });
    assert_eq!(line, "2/3 blobs, 4.0 KiB of 4.0 KiB, 2.0 KiB/s");
}

#[test]
fn quiet_hears_nothing_and_a_log_is_not_flooded() {
    let captured = Captured::default();
    let console = || Console::new(captured.out(), captured.err());
    assert!(Progress::new(console(), Audience::Nobody).listener().is_none());
    let listener = Progress::new(console(), Audience::Log).listener().unwrap();
    listener(&CopyEvent::Planned { blobs: 1, bytes: 1 << 20, manifests: 1 });
    for _ in 0..1000 {
        listener(&CopyEvent::Moved { blob: digest(1), bytes: 1024 });
    }
    assert_eq!(captured.stderr(), "");
}
