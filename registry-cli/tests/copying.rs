//! What goes along with a copy, what stays behind, and what is only foretold.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::Bench;
use registry_cli::Exit;
use registry_faults::{content::Image, layout::Layout};
use registry_remote::Client;
use registry_transport::Transport;
use serde_json::json;

/// A layout `in` with an image `v1`, a signature that refers to it, a signature of that, and one
/// under a digest tag.
fn signed(bench: &Bench) -> [Image; 4] {
    let image = Image::small();
    let about = |subject: &Image, kind: &str| {
        let subject = subject.manifest.descriptor();
        image.clone().with_manifest(|manifest| {
            manifest["subject"] = subject;
            manifest["artifactType"] = kind.into();
        })
    };
    let signature = about(&image, "application/x.signature");
    let nested = about(&signature, "application/x.signature");
    let tagged = image.clone().with_manifest(|manifest| {
        manifest["annotations"] = json!({ "kind": "signature" });
    });
    let layout = Layout::create(&bench.path("in")).unwrap();
    layout.put_image(&image, "v1").unwrap();
    layout.put_image(&signature, "signature").unwrap();
    layout.put_image(&nested, "nested").unwrap();
    let hex = image.manifest.digest.strip_prefix("sha256:").unwrap();
    layout.put_image(&tagged, &format!("sha256-{hex}.sig")).unwrap();
    [image, signature, nested, tagged]
}

async fn has(bench: &Bench, repository: &str, image: &Image) -> bool {
    let name = format!("{}@{}", bench.image(repository), image.manifest.digest);
    bench.run(&["digest", &name]).await.exit == Exit::Done
}

#[tokio::test]
async fn what_refers_to_an_image_goes_along_as_far_as_is_asked_for() {
    let bench = Bench::new().await;
    let [_, signature, nested, tagged] = signed(&bench);
    let place = format!("oci:{}:v1", bench.word("in"));
    let rows: [(&str, &[&str], [bool; 3]); 5] = [
        ("none", &[], [false, false, false]),
        ("one", &["--referrers", "--depth", "1"], [true, false, false]),
        ("all", &["--referrers"], [true, true, false]),
        ("other", &["--referrers", "--artifact-type", "application/x.sbom"], [false; 3]),
        ("tags", &["--digest-tags"], [false, false, true]),
    ];
    for (repository, options, expected) in rows {
        let target = bench.image(&format!("{repository}:v1"));
        let words = [&["copy", &place, &target], options].concat();
        let copied = bench.json(&words).await;
        let companions = copied["images"].as_array().unwrap().len() - 1;
        assert_eq!(companions, expected.iter().filter(|there| **there).count(), "{repository}");
        let found = [
            has(&bench, repository, &signature).await,
            has(&bench, repository, &nested).await,
            has(&bench, repository, &tagged).await,
        ];
        assert_eq!(found, expected, "{repository}");
    }

    // And from there, by the referrers API, back to a layout and out of it again.
    let out = format!("oci:{}", bench.word("out"));
    bench.text(&["pull", &bench.image("all:v1"), &out, "--referrers"]).await;
    bench.text(&["push", &bench.word("out"), &bench.image("again:v1"), "--referrers"]).await;
    assert!(has(&bench, "again", &signature).await && has(&bench, "again", &nested).await);
    bench.text(&["copy", &bench.image("tags:v1"), &bench.image("cp:v1"), "--digest-tags"]).await;
    assert_eq!(bench.text(&["ls", &bench.image("cp")]).await.lines().count(), 2);
}

#[tokio::test]
async fn a_manifest_of_any_type_is_printed_tagged_and_copied() {
    const FOREIGN: &str = "application/vnd.example.thing.v1+json";
    let bench = Bench::new().await;
    let repository = bench.image("a").parse().unwrap();
    let client = Client::new(Transport::builder().build().unwrap());
    let text = "{ \"things\": [] }\n";
    let v1 = ["v1".parse().unwrap()];
    client.remote(&repository).put_raw(text, Some(FOREIGN), &v1).await.unwrap();
    let source = bench.image("a:v1");
    bench.text(&["tag", &source, "v2"]).await;
    bench.text(&["copy", &bench.image("a:v2"), &bench.image("b:v3")]).await;
    for image in ["a:v1", "a:v2", "b:v3"] {
        let printed = bench.run(&["manifest", &bench.image(image)]).await;
        assert_eq!((printed.exit, printed.text()), (Exit::Done, text), "{printed:?}");
        let digest = bench.json(&["digest", &bench.image(image)]).await;
        assert_eq!(digest["mediaType"], FOREIGN);
    }
    let words = ["manifest", "--platform", "linux/amd64", &source];
    let lines = bench.refused(Exit::Other, &words).await;
    assert!(lines[0].contains(FOREIGN), "{lines:?}");
    let archive = format!("docker-archive:{}", bench.word("out.tar"));
    bench.refused(Exit::Other, &["pull", &source, &archive]).await;
}

#[tokio::test]
async fn all_tags_are_those_that_match() {
    let bench = Bench::new().await;
    let image = Image::small();
    let layout = Layout::create(&bench.path("in")).unwrap();
    for tag in ["v1", "v2", "v2-rc1", "latest"] {
        layout.put_image(&image, tag).unwrap();
    }
    let place = format!("oci:{}", bench.word("in"));
    let digest = &image.manifest.digest;
    let pushed = bench.text(&["push", &place, &bench.image("app"), "--all-tags"]).await;
    let line = |tag: &str| format!("{}:{tag}@{digest}", bench.image("app"));
    let mut lines: Vec<_> = pushed.lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["latest", "v1", "v2-rc1", "v2"].map(line));

    let words = ["copy", "-a", &bench.image("app"), &bench.image("releases")];
    let chosen = ["--include", "v*", "--exclude", "*-rc*"];
    bench.text(&[&words[..], &chosen].concat()).await;
    assert_eq!(bench.text(&["ls", &bench.image("releases")]).await, "v1\nv2");
    let lines = bench.refused(Exit::NotFound, &[&words[..], &["--include", "x?"]].concat()).await;
    assert!(lines[0].contains("of 4 tags"), "{lines:?}");

    let out = bench.word("out");
    bench.text(&["pull", "-a", &bench.image("app"), &out]).await;
    assert_eq!(common::entries(&bench.path("out")).len(), 4);
    let archive = format!("oci-archive:{}", bench.word("out.tar"));
    let copied = bench.text(&["copy", "-a", &out, &archive]).await;
    let again = bench.text(&["copy", "-a", &out, &format!("oci:{}", bench.word("again"))]).await;
    for (at, line) in copied.lines().chain(again.lines()).enumerate() {
        // Every line that is printed can be handed to the next command.
        let target = bench.image(&format!("line{at}"));
        assert_eq!(bench.text(&["push", line, &target]).await, format!("{target}@{digest}"));
    }
    bench.text(&["push", "-a", &archive, &bench.image("from-archive")]).await;
    assert_eq!(bench.text(&["ls", &bench.image("from-archive")]).await, "latest\nv1\nv2\nv2-rc1");

    for words in [
        ["copy", "-a", &bench.image("app:v1"), &bench.image("b")],
        ["push", "-a", &format!("{place}:v1"), &bench.image("b")],
    ] {
        bench.refused(Exit::Usage, &words).await;
    }
}

#[tokio::test]
async fn a_tag_that_names_something_else_stays_where_it_may_not_be_moved() {
    let bench = Bench::new().await;
    let (old, new) = (
        Image::small(),
        Image::small().with_manifest(|manifest| {
            manifest["annotations"] = json!({ "new": "yes" });
        }),
    );
    for (directory, image) in [("old", &old), ("new", &new)] {
        Layout::create(&bench.path(directory)).unwrap().put_image(image, "v1").unwrap();
    }
    let target = bench.image("app:v1");
    bench.text(&["push", &bench.word("old"), &target]).await;
    let outcome = bench.run(&["push", "--no-clobber", &bench.word("new"), &target]).await;
    assert_eq!((outcome.exit, outcome.text()), (Exit::Done, ""), "{outcome:?}");
    assert!(outcome.stderr.contains("left alone: v1"), "{outcome:?}");
    assert!(!outcome.stderr.contains("there already"), "{outcome:?}");
    let outcome = bench.run(&["push", "-n", "--dry-run", &bench.word("new"), &target]).await;
    assert_eq!((outcome.exit, outcome.text()), (Exit::Done, ""), "{outcome:?}");
    let left = bench.json(&["push", "-n", &bench.word("new"), &target]).await;
    let left = &left["images"][0];
    assert_eq!((&left["present"], &left["skipped"]), (&json!(false), &json!(["v1"])));
    assert_eq!(bench.text(&["digest", &target]).await, old.manifest.digest);

    let again = bench.json(&["push", "-n", &bench.word("old"), &target]).await;
    assert_eq!((&again["images"][0]["present"], &again["manifests"]), (&json!(true), &json!(0)));
    bench.text(&["push", &bench.word("new"), &target]).await;
    assert_eq!(bench.text(&["digest", &target]).await, new.manifest.digest);
}

#[tokio::test]
async fn an_archive_that_is_there_stays_where_nothing_may_be_replaced() {
    let bench = Bench::new().await;
    Layout::create(&bench.path("in")).unwrap().put_image(&Image::small(), "v1").unwrap();
    let file = bench.word("f.tar");
    for (place, all) in [(format!("oci-archive:{file}"), true), (file.clone(), false)] {
        let mut words = vec!["copy", "--no-clobber", "-q", "./in", &place];
        let from = bench.word("in");
        words[3] = &from;
        words.extend(all.then_some("--all-tags"));
        bench.text(&words).await;
        std::fs::write(&file, "another").unwrap();
        for options in [&[][..], &["--dry-run"]] {
            let lines = bench.refused(Exit::Local, &[&words, options].concat()).await;
            assert!(lines[0].contains(&format!("{file} is there already")), "{lines:?}");
            assert!(lines[1].starts_with("hint: "), "{lines:?}");
        }
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "another");
        std::fs::remove_file(&file).unwrap();
    }
}

#[tokio::test]
async fn a_dry_run_says_what_would_move_and_moves_nothing() {
    let bench = Bench::new().await;
    let image = Image::small();
    Layout::create(&bench.path("in")).unwrap().put_image(&image, "v1").unwrap();
    let (place, target) = (bench.word("in"), bench.image("app:v1"));
    let blobs = image.blobs().count();
    let bytes: usize = image.blobs().map(|blob| blob.bytes.len()).sum();

    let foretold = bench.json(&["push", "--dry-run", &place, &target]).await;
    assert_eq!(foretold["blobs"], json!(blobs));
    assert_eq!(foretold["bytes"], json!(bytes));
    assert_eq!(foretold["requests"], json!(2 * blobs + 1));
    bench.refused(Exit::NotFound, &["digest", &target]).await;

    bench.text(&["push", &place, &target]).await;
    let foretold = bench.json(&["push", "--dry-run", &place, &bench.image("app:v2")]).await;
    assert_eq!((&foretold["blobs"], &foretold["requests"]), (&json!(0), &json!(1)));
    let outcome = bench.run(&["pull", "--dry-run", &target, &bench.word("out")]).await;
    assert_eq!(outcome.exit, Exit::Done);
    assert!(outcome.stderr.contains("would write 1 manifest"), "{outcome:?}");
    assert!(outcome.stderr.contains(", with about "), "{outcome:?}");
    assert!(!bench.path("out").exists());
}

#[tokio::test]
async fn layers_that_are_not_for_redistribution_are_told_of_and_left_out() {
    let bench = Bench::new().await;
    let mut image = Image::small();
    let foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    image.layers.last_mut().unwrap().media_type = foreign.to_owned();
    let image = Image::of(image.config, image.layers);
    Layout::create(&bench.path("in")).unwrap().put_image(&image, "v1").unwrap();
    let place = format!("oci:{}:v1", bench.word("in"));
    let rows: [(&str, &[&str], bool); 2] =
        [("without", &[], true), ("with", &["--nondistributable"], false)];
    for (repository, options, left_out) in rows {
        let target = bench.image(&format!("{repository}:v1"));
        let outcome = bench.run(&[&["copy", &place, &target], options].concat()).await;
        assert_eq!(outcome.exit, Exit::Done, "{outcome:?}");
        let note = "left out: 1 layer not for redistribution; see --nondistributable";
        assert_eq!(outcome.stderr.contains(note), left_out, "{outcome:?}");
    }
}

#[tokio::test]
async fn options_that_make_no_sense_alone_are_refused() {
    let bench = Bench::new().await;
    for options in [["--include", "v*"], ["--artifact-type", "x"], ["--limit-rate", "fast"]] {
        let words = [&["copy", "a/b", "c/d"], &options[..]].concat();
        let outcome = bench.run(&words).await;
        assert_eq!(outcome.exit, Exit::Usage, "{outcome:?}");
    }
}
