use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use futures_util::{StreamExt as _, stream};
use registry_name::Algorithm;

use super::*;
use crate::{ByteStream, Descriptor, verify};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A stream of `packed` in chunks of `size`, whose content must have the digest of `content`.
fn unpacked(packed: &[u8], size: usize, content: &[u8]) -> Unpacked {
    let digest = verify::digest(Algorithm::Sha256, packed);
    let descriptor = Descriptor::new("layer", digest, packed.len() as u64);
    let chunks: Vec<_> = packed.chunks(size).map(Bytes::copy_from_slice).map(Ok).collect();
    let stream: ByteStream = Box::pin(stream::iter(chunks));
    let verified = Verified::new(stream, &descriptor, "packed");
    Unpacked::new(verified, Some(verify::digest(Algorithm::Sha256, content)), "content".into())
}

async fn all(mut stream: Unpacked) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    assert!(stream.next().await.is_none());
    Ok(bytes)
}

#[tokio::test]
async fn whatever_is_packed_comes_out_however_it_is_cut() {
    let content: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    let half = content.len() / 2;
    let members = [gzip(&content[..half]), gzip(b""), gzip(&content[half..])].concat();
    let frame = |bytes: &[u8]| zstd::encode_all(bytes, 3).unwrap();
    // A frame that is to be skipped: its magic, its length, its content.
    let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    let frames = [skipped, frame(&content[..half]), frame(&content[half..])].concat();
    for packed in [gzip(&content), members, frame(&content), frames, content.clone()] {
        for size in [1000, 65_536, usize::MAX] {
            let size = size.min(packed.len());
            assert_eq!(all(unpacked(&packed, size, &content)).await.unwrap(), content);
        }
    }
    for small in [&b""[..], b"a", b"\x1f"] {
        assert_eq!(all(unpacked(small, 1, small)).await.unwrap(), small);
        let packed = gzip(small);
        assert_eq!(all(unpacked(&packed, 1, small)).await.unwrap(), small);
        let packed = frame(small);
        assert_eq!(all(unpacked(&packed, 1, small)).await.unwrap(), small);
    }
}

#[tokio::test]
async fn what_is_cut_broken_or_something_else_is_refused() {
    let content = vec![7; 100_000];
    let (gzip, zstd) = (gzip(&content), zstd::encode_all(&*content, 3).unwrap());
    for packed in [&gzip, &zstd] {
        for cut in [packed.len() - 1, packed.len() / 2, 5] {
            let error = all(unpacked(&packed[..cut], 100, &content)).await.unwrap_err();
            assert!(matches!(error, Error::Integrity { .. }), "{error}");
        }
        let error = all(unpacked(packed, 100, b"other")).await.unwrap_err();
        assert!(error.to_string().starts_with("content is not what"), "{error}");
        let trailing = [packed, &b"more"[..]].concat();
        assert!(all(unpacked(&trailing, 100, &content)).await.is_err());
    }
    let mut broken = gzip.clone();
    broken[20] ^= 0xff;
    assert!(all(unpacked(&broken, 100, &content)).await.is_err());
}

#[tokio::test]
async fn what_was_packed_is_verified_too() {
    let packed = gzip(b"content");
    let mut stream = unpacked(&packed, 100, b"content");
    let other =
        Descriptor::new("layer", verify::digest(Algorithm::Sha256, b"x"), packed.len() as u64);
    let bytes: ByteStream = Box::pin(stream::iter([Ok(packed.into())]));
    stream.packed = Some(Verified::new(bytes, &other, "packed"));
    let error = all(stream).await.unwrap_err();
    assert!(error.to_string().starts_with("packed is not what"), "{error}");
}

#[tokio::test]
async fn a_bomb_costs_what_is_read_of_it() {
    let bomb = gzip(&vec![0; 64 << 20]);
    let twice = gzip(&bomb);
    assert!(bomb.len() < 100_000 && twice.len() < 1000);
    let mut stream = unpacked(&bomb, bomb.len(), b"");
    for _ in 0..4 {
        let chunk = stream.next().await.unwrap().unwrap();
        assert!(chunk.len() <= unpacker::CHUNK);
    }
    assert!(stream.unpacker.is_waiting());
    // Nothing within is unpacked again.
    assert_eq!(all(unpacked(&twice, 100, &bomb)).await.unwrap(), bomb);
}
