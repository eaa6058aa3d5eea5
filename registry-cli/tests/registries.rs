//! The main job against registries that others wrote, started on a free loopback port.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::collections::BTreeSet;

use common::{Bench, entries};
use registry_cli::Exit;
use registry_faults::{
    layout,
    peers::{Kind, Server},
    sample, skip,
};

/// At least 20 MiB of real files.
const SIZE: u64 = 20 << 20;

#[tokio::test]
async fn the_main_job_works_with_docker_registry() {
    main_job(Kind::DockerRegistry).await;
}

#[tokio::test]
async fn the_main_job_works_with_registry3() {
    main_job(Kind::Registry3).await;
}

#[tokio::test]
async fn the_main_job_works_with_zot() {
    main_job(Kind::Zot).await;
}

async fn main_job(kind: Kind) {
    let server = match Server::start(kind) {
        Ok(server) => server,
        Err(error) => return skip!("{} does not start: {error}", kind.program()),
    };
    let bench = Bench::new().await;
    let sample = sample::index(&bench.path("in"), "v1", SIZE).unwrap();
    let repository = format!("{}/team/app", server.host());
    let (image, other) = (format!("{repository}:v1"), format!("{}/other:v1", server.host()));
    let pinned = format!("{repository}@{}", sample.digest());

    assert_eq!(bench.text(&["push", &bench.word("in"), &image]).await, pinned);
    assert_eq!(bench.text(&["push", &bench.word("in"), &image]).await, pinned);
    assert_eq!(bench.text(&["digest", &image]).await, sample.digest());
    bench.text(&["pull", &image, &bench.word("out")]).await;
    assert_eq!(entries(&bench.path("out")), [(sample.digest().to_owned(), Some("v1".to_owned()))]);
    let all = layout::verified_blobs(&bench.path("in")).unwrap();
    assert_eq!(layout::verified_blobs(&bench.path("out")).unwrap(), all);

    let copied = bench.json(&["copy", &image, &other]).await;
    assert_eq!(copied["digest"], sample.digest());
    assert_eq!(copied["blobs"]["bytes"], 0, "everything is mounted: {copied}");
    assert_eq!(bench.text(&["catalog", &server.host()]).await, "other\nteam/app");
    assert_eq!(bench.text(&["tag", &image, "same"]).await, pinned);
    let listed = bench.text(&["ls", &repository]).await;
    assert_eq!(listed.lines().collect::<BTreeSet<_>>(), BTreeSet::from(["same", "v1"]));

    delete(&bench, &repository, &pinned).await;
    bench.refused(Exit::NotFound, &["digest", &pinned]).await;
    bench.refused(Exit::NotFound, &["pull", &image, &bench.word("gone")]).await;
}

/// One tag alone where that is offered; where it is not, the way that the error names.
async fn delete(bench: &Bench, repository: &str, pinned: &str) {
    let tag = bench.run(&["delete", &format!("{repository}:same")]).await;
    if tag.exit == Exit::Done {
        assert_eq!(bench.text(&["ls", repository]).await, "v1");
        bench.text(&["delete", pinned]).await;
        return;
    }
    assert_eq!(tag.exit, Exit::Conflict, "{tag:?}");
    assert!(tag.stderr.contains("and so does v1"), "{tag:?}");
    let (_, command) = tag.stderr.trim_end().rsplit_once(": registry ").unwrap();
    assert_eq!(command, format!("delete {pinned}"));
    bench.text(&command.split(' ').collect::<Vec<_>>()).await;
}
