//! What is where in an OCI image layout, in a directory and in an archive alike
//! ([image-spec, image-layout](https://github.com/opencontainers/image-spec/blob/main/image-layout.md)).

use registry_name::Digest;

/// The file that makes it a layout, and what is in it.
pub(crate) const MARKER: &str = "oci-layout";
pub(crate) const MARKER_CONTENT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
/// What is in it, with tags.
pub(crate) const INDEX: &str = "index.json";
/// The directory of blobs.
pub(crate) const BLOBS: &str = "blobs";

/// The only way from a digest to a path: it has no separators and no dots.
pub(crate) fn blob_parts(digest: &Digest) -> [&str; 3] {
    [BLOBS, digest.algorithm().as_str(), digest.hex()]
}

/// Where a blob is, with slashes.
pub(crate) fn blob_name(digest: &Digest) -> String {
    blob_parts(digest).join("/")
}
