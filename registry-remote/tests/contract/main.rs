//! One contract for everything that can be copied to and from: memory, an OCI layout, archives, and
//! repositories of every registry that is installed. What is asked is the same for all; where a
//! kind of place cannot do something, [`Kind`] says so.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

mod battery;
mod foreign;
mod places;
#[path = "../stage/mod.rs"]
mod stage;

use places::{Kind, Stand};
use registry_faults::peers;

async fn keeps_the_contract(stand: &Stand) {
    battery::an_image_comes_back_byte_for_byte(stand).await;
    battery::an_index_comes_back_whole_or_is_refused(stand).await;
    battery::a_blob_is_written_once(stand).await;
    battery::other_bytes_than_promised_are_refused_and_leave_nothing(stand).await;
    battery::an_unfinished_copy_is_not_to_be_found(stand).await;
    battery::what_is_missing_is_not_found(stand).await;
    battery::a_blob_can_be_read_from_any_offset(stand).await;
    battery::tags_and_digests_resolve(stand).await;
    battery::the_same_copy_again_writes_nothing(stand).await;
    battery::what_refers_to_a_manifest_is_listed(stand).await;
    battery::sha512_is_a_name_like_any_other(stand).await;
    battery::an_image_of_sha512_alone_comes_back_byte_for_byte(stand).await;
    foreign::entries_of_any_type_come_back(stand).await;
    foreign::referrers_of_any_type_go_along(stand).await;
    foreign::a_manifest_of_any_type_is_copied_or_refused(stand).await;
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    keeps_the_contract(&Stand::new(Kind::Memory)).await;
}

#[tokio::test]
async fn an_oci_layout_keeps_the_contract() {
    keeps_the_contract(&Stand::new(Kind::Layout)).await;
}

#[tokio::test]
async fn an_oci_archive_keeps_the_contract() {
    keeps_the_contract(&Stand::new(Kind::OciArchive)).await;
}

#[tokio::test]
async fn a_docker_archive_keeps_the_contract() {
    keeps_the_contract(&Stand::new(Kind::DockerArchive)).await;
}

#[tokio::test]
async fn the_embedded_registry_keeps_the_contract() {
    let served = registry_serve::Registry::builder().spawn().await.unwrap();
    keeps_the_contract(&Stand::new(Kind::Registry(served.host()))).await;
}

#[tokio::test]
async fn docker_registry_keeps_the_contract() {
    peer(peers::Kind::DockerRegistry).await;
}

#[tokio::test]
async fn registry3_keeps_the_contract() {
    peer(peers::Kind::Registry3).await;
}

async fn peer(kind: peers::Kind) {
    match peers::Server::start(kind) {
        Ok(server) => keeps_the_contract(&Stand::new(Kind::Distribution(server.host()))).await,
        Err(reason) => registry_faults::skip!("a registry of another make: {reason}"),
    }
}
