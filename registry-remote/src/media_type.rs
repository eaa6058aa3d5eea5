//! The media types that registries speak, and what each means to a client.

/// An image manifest of the OCI image specification.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An index of the OCI image specification.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// An image configuration of the OCI image specification.
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// An image configuration of Docker's schema 2.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// An uncompressed layer.
pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// A layer compressed with gzip.
pub const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// A layer compressed with Zstandard.
pub const OCI_LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
/// An image manifest of Docker's schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's manifest list, an index.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker's schema 1, unsigned: carried, not understood.
pub const DOCKER_SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+json";
/// Docker's schema 1, signed: carried, not understood.
pub const DOCKER_SCHEMA1_SIGNED: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";
/// An artifact as the OCI image specification had it before version 1.1: it has blobs and no
/// configuration.
pub const OCI_ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";
/// The same as the ORAS project had it before that.
pub const ORAS_ARTIFACT: &str = "application/vnd.cncf.oras.artifact.manifest.v1+json";

/// A layer of Docker's schemas, compressed with gzip.
pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
/// The configuration of an artifact that has none, `{}`
/// ([image-spec, empty descriptor](https://github.com/opencontainers/image-spec/blob/main/manifest.md#guidance-for-an-empty-descriptor)).
pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// What a manifest request says it can take, the preferred first.
pub const MANIFESTS: &[&str] = &[
    OCI_INDEX,
    OCI_MANIFEST,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    DOCKER_SCHEMA1_SIGNED,
    DOCKER_SCHEMA1,
    OCI_ARTIFACT,
    ORAS_ARTIFACT,
];

/// Whether content of this type lists children: an image manifest, an index or an artifact, of any
/// schema. There are others that nobody here knows.
pub fn is_manifest(media_type: &str) -> bool {
    MANIFESTS.contains(&media_type)
}

/// Whether content of this type is an index.
pub fn is_index(media_type: &str) -> bool {
    matches!(media_type, OCI_INDEX | DOCKER_LIST)
}

/// Whether content of this type is an image manifest.
pub fn is_image(media_type: &str) -> bool {
    matches!(media_type, OCI_MANIFEST | DOCKER_MANIFEST)
}

/// Whether content of this type is an artifact that has blobs and no configuration.
pub(crate) fn is_artifact(media_type: &str) -> bool {
    matches!(media_type, OCI_ARTIFACT | ORAS_ARTIFACT)
}

/// Whether what has this type can be for a platform: an image of any schema, or an index of some.
pub(crate) fn has_platform(media_type: &str) -> bool {
    is_image(media_type) || is_index(media_type) || is_schema1(media_type)
}

/// Whether content of this type is Docker's schema 1.
pub fn is_schema1(media_type: &str) -> bool {
    matches!(media_type, DOCKER_SCHEMA1 | DOCKER_SCHEMA1_SIGNED)
}

/// Whether content of this type is the configuration of an image that can be run.
pub fn is_config(media_type: &str) -> bool {
    matches!(media_type, OCI_CONFIG | DOCKER_CONFIG)
}

/// Whether a layer of this type is one that its registry may not hand on
/// ([image-spec, layer](https://github.com/opencontainers/image-spec/blob/main/layer.md#non-distributable-layers)).
pub fn is_nondistributable(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.oci.image.layer.nondistributable.v1.tar")
        || media_type == "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
}

/// Whether content of this type is a layer: a tar file, plain or compressed with gzip or Zstandard.
pub(crate) fn is_layer(media_type: &str) -> bool {
    let rest = media_type.strip_prefix("application/vnd.oci.image.layer.v1.tar").or_else(|| {
        media_type.strip_prefix("application/vnd.oci.image.layer.nondistributable.v1.tar")
    });
    matches!(rest, Some("" | "+gzip" | "+zstd")) || oci_layer(media_type).is_some()
}

/// What a layer of Docker's types is called in an OCI manifest ([image-spec,
/// compatibility](https://github.com/opencontainers/image-spec/blob/main/media-types.md#compatibility-matrix)).
pub(crate) fn oci_layer(media_type: &str) -> Option<&'static str> {
    Some(match media_type {
        DOCKER_LAYER => OCI_LAYER_GZIP,
        "application/vnd.docker.image.rootfs.diff.tar" => OCI_LAYER,
        "application/vnd.docker.image.rootfs.diff.tar.zstd" => OCI_LAYER_ZSTD,
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" => {
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
        }
        _ => return None,
    })
}

/// A `Content-Type` without its parameters, in lower case.
pub fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
