//! Tar files that nobody's program would write.
#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

mod local;

use std::{fs::File, io::Write as _};

use local::{tar_of, told};
use registry_remote::{ArchiveSource, Error, ErrorKind, Source as _};
use tar::{EntryType, Header};

const INDEX: &[u8] = br#"{"schemaVersion":2,"manifests":[]}"#;

/// One entry with any name, kind and stated size, whether or not they make sense.
fn entry(name: &[u8], kind: EntryType, link: &[u8], bytes: &[u8]) -> Vec<u8> {
    stated(name, kind, link, bytes, bytes.len() as u64)
}

fn stated(name: &[u8], kind: EntryType, link: &[u8], bytes: &[u8], size: u64) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(size);
    let raw = header.as_mut_bytes();
    raw[..name.len()].copy_from_slice(name);
    raw[157..157 + link.len()].copy_from_slice(link);
    header.set_cksum();
    let mut all = header.as_bytes().to_vec();
    all.extend_from_slice(bytes);
    all.resize(all.len().next_multiple_of(512), 0);
    all
}

fn file(name: &str, bytes: &[u8]) -> Vec<u8> {
    entry(name.as_bytes(), EntryType::Regular, b"", bytes)
}

fn pax(records: &[(&str, &str)]) -> Vec<u8> {
    let mut all = String::new();
    for (key, value) in records {
        let rest = format!(" {key}={value}\n");
        let length = (1..9999).find(|n: &usize| n.to_string().len() + rest.len() == *n).unwrap();
        all.push_str(&length.to_string());
        all.push_str(&rest);
    }
    entry(b"pax", EntryType::XHeader, b"", all.as_bytes())
}

async fn open(parts: &[Vec<u8>]) -> Result<ArchiveSource, Error> {
    let scratch = tempfile::tempdir().unwrap();
    let bytes = [parts.concat(), vec![0; 1024]].concat();
    ArchiveSource::open(local::write(scratch.path(), "file.tar", &bytes)).await
}

#[tokio::test]
async fn f04_an_archive_that_two_readers_could_understand_differently_is_refused() {
    let index = || file("index.json", INDEX);
    let link = |name: &str, target: &str| {
        entry(name.as_bytes(), EntryType::Symlink, target.as_bytes(), b"")
    };
    let hard =
        |name: &str, target: &str| entry(name.as_bytes(), EntryType::Link, target.as_bytes(), b"");
    let rows: Vec<(&str, Vec<Vec<u8>>)> = vec![
        ("leads outside", vec![index(), file("a/../../etc/passwd", b"")]),
        ("leads outside", vec![index(), file("..", b"")]),
        ("is absolute", vec![index(), file("/etc/passwd", b"")]),
        ("leads outside", vec![index(), link("a", "../b")]),
        ("leads outside", vec![index(), link("a/b", "../../c")]),
        ("leads outside", vec![index(), link("a", "/etc/passwd")]),
        ("leads outside", vec![index(), hard("a", "../b")]),
        ("below what is no directory", vec![index(), link("a", "b"), file("a/c", b"")]),
        ("below what is no directory", vec![index(), file("a", b""), file("a/c", b"")]),
        ("neither file nor directory", vec![index(), entry(b"a", EntryType::Char, b"", b"")]),
        ("neither file nor directory", vec![index(), entry(b"a", EntryType::Block, b"", b"")]),
        ("neither file nor directory", vec![index(), entry(b"a", EntryType::Fifo, b"", b"")]),
        ("neither file nor directory", vec![index(), entry(b"a", EntryType::GNUSparse, b"", b"")]),
        ("two entries", vec![index(), file("./index.json", b"{}")]),
        ("two entries", vec![index(), file("a", b""), link("a", "index.json")]),
        ("no name", vec![index(), file("", b"")]),
        ("not UTF-8", vec![index(), entry(b"\xff", EntryType::Regular, b"", b"")]),
        ("that is no file has a size", vec![index(), entry(b"a", EntryType::Symlink, b"b", b"x")]),
        (
            "that is no file has a size",
            vec![index(), entry(b"a/", EntryType::Directory, b"", b"x")],
        ),
        ("two sizes, 1 and 600", vec![index(), pax(&[("size", "600")]), file("a", b"x")]),
        ("two names", vec![index(), pax(&[("path", "a"), ("path", "b")]), file("a", b"x")]),
        ("sparse", vec![index(), pax(&[("GNU.sparse.major", "1")]), file("a", b"x")]),
        ("damaged", vec![index(), pax(&[("size", "+1")]), file("a", b"x")]),
        (
            "damaged",
            vec![index(), entry(b"p", EntryType::XHeader, b"", b"99 path=a\n"), file("a", b"")],
        ),
        (
            "damaged",
            vec![index(), entry(b"p", EntryType::XHeader, b"", b"2 path=a\n"), file("a", b"")],
        ),
        (
            "too large",
            vec![index(), entry(b"p", EntryType::XHeader, b"", &[b'x'; 65537]), file("a", b"")],
        ),
        ("more than 255 bytes", vec![index(), pax(&[("path", &"x".repeat(256))]), file("a", b"x")]),
        ("global", vec![index(), global("path"), file("a", b"x")]),
        ("ends after an extension", vec![index(), pax(&[("path", "a")])]),
        ("cut short", vec![index(), stated(b"a", EntryType::Regular, b"", b"", 1 << 40)]),
        ("cut short", vec![index(), stated(b"a", EntryType::Regular, b"", b"", u64::MAX / 2)]),
        ("behind its end", vec![index(), vec![0; 512], file("a", b"x")]),
        ("neither an index.json nor a manifest.json", vec![file("a", b"x")]),
        ("manifest.json does not read", vec![file("manifest.json", b"{")]),
        ("index.json does not read", vec![file("index.json", b"[]")]),
    ];
    for (expected, parts) in rows {
        let error = open(&parts).await.map(|_| ()).expect_err(expected);
        assert!(told(&error).contains(expected), "{expected}: {}", told(&error));
        assert_eq!(error.kind(), ErrorKind::Local, "{error:?}");
    }
}

fn global(key: &str) -> Vec<u8> {
    let mut records = pax(&[(key, "b")]);
    records[156] = b'g';
    let header: &mut Header = &mut Header::new_gnu();
    header.as_mut_bytes().copy_from_slice(&records[..512]);
    header.set_cksum();
    records[..512].copy_from_slice(header.as_bytes());
    records
}

#[tokio::test]
async fn what_honest_programs_write_is_read() {
    let index = || file("index.json", INDEX);
    let rows = [
        vec![entry(b"./", EntryType::Directory, b"", b""), file("./index.json", INDEX)],
        vec![file("blobs/", b""), entry(b"blobs", EntryType::Directory, b"", b""), index()],
        vec![global("comment"), index()],
        vec![pax(&[("path", "index.json"), ("mtime", "1.5")]), file("other", INDEX)],
        vec![entry(b"l", EntryType::GNULongName, b"", b"index.json\0"), file("other", INDEX)],
        vec![pax(&[("size", &INDEX.len().to_string())]), index()],
        vec![index(), entry(b"a", EntryType::Link, b"index.json", b"")],
        vec![
            entry(b"index.json", EntryType::Symlink, b"./real/../index", b""),
            file("index", INDEX),
        ],
    ];
    for (number, parts) in rows.iter().enumerate() {
        let archive =
            open(parts).await.unwrap_or_else(|error| panic!("{number}: {}", told(&error)));
        assert_eq!(archive.only().unwrap_err().kind(), ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn what_is_no_tar_file_says_so() {
    let scratch = tempfile::tempdir().unwrap();
    let rows: [(&[u8], &str); 4] = [
        (b"", "it is empty"),
        (b"hello", "cut short"),
        (&[b'x'; 4096], "no tar archive"),
        (&[0; 1024], "neither an index.json"),
    ];
    for (bytes, expected) in rows {
        let path = local::write(scratch.path(), "file.tar", bytes);
        let error = ArchiveSource::open(path).await.unwrap_err();
        assert!(told(&error).contains(expected), "{}", told(&error));
    }
    let error = ArchiveSource::open(scratch.path().join("none")).await.unwrap_err();
    assert!(matches!(error, Error::Local { .. }));
}

#[tokio::test]
async fn an_archive_may_end_without_an_end() {
    let scratch = tempfile::tempdir().unwrap();
    let whole = tar_of(&[("index.json", INDEX)]);
    for length in [512 + INDEX.len(), 1024, 1024 + 512] {
        let path = local::write(scratch.path(), "file.tar", &whole[..length]);
        assert!(ArchiveSource::open(path).await.is_ok(), "{length}");
    }
    let path = local::write(scratch.path(), "file.tar", &whole[..512 + INDEX.len() - 1]);
    assert!(ArchiveSource::open(path).await.is_err());
}

/// Sizes beyond 8 GiB have no room in a header: base 256 (GNU) and an extension (pax) carry them.
#[tokio::test]
async fn entries_beyond_eight_gibibytes_are_found_and_those_after_them() {
    const SIZE: u64 = (8 << 30) + 1;
    let scratch = tempfile::tempdir().unwrap();
    let big = |header: u64| stated(b"big", EntryType::Regular, b"", b"", header);
    for start in [big(SIZE), [pax(&[("size", &SIZE.to_string())]), big(0)].concat()] {
        let path = scratch.path().join("file.tar");
        let mut archive = File::create(&path).unwrap();
        archive.write_all(&start).unwrap();
        let end = start.len() as u64 + SIZE.next_multiple_of(512);
        archive.set_len(end).unwrap();
        std::io::Seek::seek(&mut archive, std::io::SeekFrom::End(0)).unwrap();
        archive.write_all(&file("index.json", INDEX)).unwrap();
        drop(archive);
        assert!(ArchiveSource::open(path).await.is_ok());
    }
}

#[tokio::test]
async fn f04_the_number_of_entries_is_limited() {
    let parts: Vec<_> = (0..=50_000).map(|n| file(&n.to_string(), b"")).collect();
    let error = open(&parts).await.unwrap_err();
    assert!(matches!(error, Error::Limit { .. }), "{error:?}");
}

#[tokio::test]
async fn a_document_beyond_the_limit_is_not_read() {
    let large = vec![b' '; 4 * 1024 * 1024 + 1];
    for name in ["index.json", "manifest.json"] {
        let error = open(&[file(name, &large)]).await.unwrap_err();
        assert!(matches!(error, Error::Limit { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn content_that_the_index_promises_and_the_archive_lacks_is_not_found() {
    let digest = format!("sha256:{}", "1".repeat(64));
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let index =
        format!(r#"{{"manifests":[{{"mediaType":"{kind}","digest":"{digest}","size":5}}]}}"#);
    let archive = open(&[file("index.json", index.as_bytes())]).await.unwrap();
    let error = archive.manifest(&archive.only().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let name = format!("blobs/sha256/{}", "1".repeat(64));
    let archive =
        open(&[file("index.json", index.as_bytes()), file(&name, b"12345")]).await.unwrap();
    let error = archive.manifest(&archive.only().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity, "{error:?}");
}
