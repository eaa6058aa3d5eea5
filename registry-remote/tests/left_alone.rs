//! A tag that stays as it is brings nothing along, and costs one look at the source.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod stage;

use std::sync::Arc;

use registry_remote::{
    CopyOptions, Memory, Plan, Sink, Source,
    copy::{self, Referring, Wanted},
};
use stage::{Stage, image, image_with, index, json, noise, tag};

#[tokio::test]
async fn what_is_left_alone_brings_neither_children_nor_companions() {
    let stage = Stage::start().await;
    let memory = Arc::new(Memory::new());
    let one = image(&memory, &[noise(1, 10)], None);
    let root = index(&memory, &[(&one, "linux/amd64")], "v1");
    let subject = format!(r#""subject":{},"#, json(one.descriptor()));
    memory.add_manifest(image_with(&memory, &[noise(2, 10)], &subject), None);
    let signature = format!("{}.sig", root.digest().as_str().replace(':', "-"));
    image(&memory, &[noise(3, 10)], Some(&signature));
    let there = Arc::new(Memory::new());
    image(&there, &[noise(4, 10)], Some("v1"));

    let mut options = CopyOptions::default();
    options.referrers = Some(Referring::default());
    options.digest_tags = true;
    let whole: Arc<dyn Sink> = Arc::new(stage.remote("app"));
    let whole_source: Arc<dyn Source> = memory.clone();
    let wanted = [Wanted::tag(&tag("v1"))];
    let plan = copy::plan(&whole_source, &wanted, &whole, &options).await.unwrap();
    assert_eq!(plan.manifests().len(), 4);
    plan.run(&whole_source, &whole, &options).await.unwrap();

    options.no_clobber = true;
    let source: Arc<dyn Source> = Arc::new(stage.remote("app"));
    let sink: Arc<dyn Sink> = there.clone();
    let (plan, requests) = stage.requests(copy::plan(&source, &wanted, &sink, &options)).await;
    let plan = plan.unwrap();
    assert!(plan.is_empty() && plan.roots().len() == 1, "{plan:?}");
    assert_eq!(plan.root().skipped, [tag("v1")]);
    assert_eq!(requests, ["GET /v2/app/manifests/v1"]);

    // Under another name it is written, and all goes along.
    let both = [Wanted::tag(&tag("v1")), Wanted { from: tag("v1").into(), tags: vec![tag("v2")] }];
    let plan: Plan = copy::plan(&source, &both, &sink, &options).await.unwrap();
    assert_eq!((plan.manifests().len(), plan.roots().len()), (4, 4));
}
