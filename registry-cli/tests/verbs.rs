//! Every verb against a registry on loopback, with images made of this machine's files.

mod common;

use common::{Bench, entries};
use registry_cli::Exit;
use registry_faults::{
    content::{Blob, Image},
    layout, sample,
};
use serde_json::{Value, json};

const SIZE: u64 = 1 << 20;

#[tokio::test]
async fn an_image_goes_to_a_registry_and_comes_back() {
    let bench = Bench::new().await;
    let sample = sample::image(&bench.path("in"), "v1", SIZE).unwrap();
    let (image, digest) = (bench.image("team/app:v1"), sample.digest());

    let pushed = bench.text(&["push", &format!("oci:{}:v1", bench.word("in")), &image]).await;
    assert_eq!(pushed, format!("{}@{digest}", bench.image("team/app")));

    let place = format!("oci:{}", bench.word("out"));
    let pulled = bench.text(&["pull", &image, &place]).await;
    assert_eq!(pulled, format!("{place}@{digest}"));
    assert_eq!(entries(&bench.path("out")), [(digest.to_owned(), Some("v1".to_owned()))]);
    assert_eq!(
        layout::verified_blobs(&bench.path("out")).unwrap(),
        layout::verified_blobs(&bench.path("in")).unwrap()
    );

    // What a verb prints is what the next one takes.
    let again = bench.text(&["push", &pulled, &bench.image("copy:v2")]).await;
    assert_eq!(again, format!("{}@{digest}", bench.image("copy")));
    assert_eq!(bench.text(&["digest", &again]).await, digest);
}

#[tokio::test]
async fn a_layout_keeps_one_entry_a_tag() {
    let bench = Bench::new().await;
    let first = sample::image(&bench.path("one"), "a", SIZE).unwrap();
    let second = sample::image(&bench.path("two"), "a", SIZE / 2).unwrap();
    bench.text(&["push", &bench.word("one"), &bench.image("app:a")]).await;
    let place = format!("oci:{}", bench.word("out"));
    let entry = |digest: &str, tag: &str| (digest.to_owned(), Some(tag.to_owned()));

    bench.text(&["pull", &bench.image("app:a"), &place]).await;
    bench.text(&["pull", &bench.image("app:a"), &format!("{place}:b")]).await;
    let both = [entry(first.digest(), "a"), entry(first.digest(), "b")];
    assert_eq!(entries(&bench.path("out")), both);

    bench.text(&["push", &bench.word("two"), &bench.image("app:a")]).await;
    bench.text(&["pull", &bench.image("app:a"), &place]).await;
    let mut found = entries(&bench.path("out"));
    found.sort_by(|a, b| a.1.cmp(&b.1));
    assert_eq!(found, [entry(second.digest(), "a"), entry(first.digest(), "b")]);
}

#[tokio::test]
async fn what_is_pulled_by_digest_alone_gets_no_tag() {
    let bench = Bench::new().await;
    let sample = sample::image(&bench.path("in"), "v1", SIZE).unwrap();
    let pushed = bench.text(&["push", &bench.word("in"), &bench.image("app:v1")]).await;
    bench.text(&["pull", &pushed, &bench.word("out")]).await;
    assert_eq!(entries(&bench.path("out")), [(sample.digest().to_owned(), None)]);
}

#[tokio::test]
async fn a_bare_path_that_ends_in_tar_is_a_docker_archive_and_any_other_a_layout() {
    let bench = Bench::new().await;
    let sample = sample::image(&bench.path("in"), "v1", SIZE).unwrap();
    let image = bench.image("app:v1");
    bench.text(&["push", &bench.word("in"), &image]).await;

    for (name, location) in [("a.tar", "docker-archive"), ("a.tgz", "oci"), ("dir", "oci")] {
        let word = bench.word(name);
        let pulled = bench.text(&["pull", &image, &word]).await;
        assert_eq!(pulled, format!("{location}:{word}@{}", sample.digest()));
        let pushed = bench.text(&["push", &word, &bench.image("again:v1")]).await;
        assert_eq!(pushed, format!("{}@{}", bench.image("again"), sample.digest()), "{name}");
    }
    assert!(bench.path("a.tar").is_file());
    assert!(bench.path("a.tgz/index.json").is_file());

    // On push the name says nothing and the content everything.
    bench.text(&["pull", &image, &format!("oci-archive:{}", bench.word("b.tar"))]).await;
    std::fs::rename(bench.path("b.tar"), bench.path("b.image")).unwrap();
    bench.text(&["push", &bench.word("b.image"), &bench.image("again:v2")]).await;
    let digest = bench.text(&["digest", &bench.image("again:v2")]).await;
    assert_eq!(digest, sample.digest());
}

#[tokio::test]
async fn an_image_in_a_docker_archive_has_the_name_it_was_pulled_by() {
    let bench = Bench::new().await;
    sample::image(&bench.path("in"), "v1", SIZE).unwrap();
    let image = bench.image("app:v1");
    bench.text(&["push", &bench.word("in"), &image]).await;
    let place = format!("docker-archive:{}", bench.word("a.tar"));

    bench.text(&["pull", &image, &place]).await;
    bench.text(&["push", &format!("{place}:{image}"), &bench.image("b:1")]).await;
    let lines = bench.refused(Exit::NotFound, &["push", &format!("{place}:x"), &image]).await;
    assert!(lines[0].contains(&image), "what there is, is listed: {lines:?}");

    bench.text(&["pull", &image, &format!("{place}:other:2")]).await;
    bench.text(&["push", &format!("{place}:other:2"), &bench.image("b:2")]).await;
}

#[tokio::test]
async fn copy_goes_between_repositories_and_places() {
    let bench = Bench::new().await;
    let sample = sample::image(&bench.path("in"), "v1", SIZE).unwrap();
    let digest = sample.digest();
    let (one, two) = (bench.image("one:v1"), bench.image("two:v2"));

    bench.text(&["copy", &format!("oci:{}", bench.word("in")), &one]).await;
    let copied = bench.json(&["copy", &one, &two]).await;
    assert_eq!(copied["image"], format!("{}@{digest}", bench.image("two")));
    assert_eq!(copied["blobs"]["mounted"], json!(sample.blobs - 1), "the registry has them all");
    assert_eq!(copied["blobs"]["bytes"], 0);

    bench.text(&["cp", &two, &bench.word("out")]).await;
    assert_eq!(entries(&bench.path("out")), [(digest.to_owned(), Some("v2".to_owned()))]);
    bench.text(&["copy", &bench.word("out"), &format!("oci:{}", bench.word("local"))]).await;
    assert_eq!(entries(&bench.path("local")), entries(&bench.path("out")));
}

#[tokio::test]
async fn an_index_travels_whole_unless_platforms_are_named() {
    let bench = Bench::new().await;
    let sample = sample::index(&bench.path("in"), "v1", SIZE).unwrap();
    let image = bench.image("app:v1");
    bench.text(&["push", &bench.word("in"), &image]).await;
    assert_eq!(bench.text(&["digest", &image]).await, sample.digest());

    let index: Value = serde_json::from_str(&bench.text(&["manifest", &image]).await).unwrap();
    let arm64 = index["manifests"][1]["digest"].as_str().unwrap();
    let only = "--platform=linux/arm64";
    assert_eq!(bench.text(&["digest", &image, only]).await, arm64);
    bench.text(&["pull", &image, &bench.word("one"), only]).await;
    assert_eq!(entries(&bench.path("one")), [(arm64.to_owned(), Some("v1".to_owned()))]);
    let config = bench.json(&["config", &image, only]).await;
    assert_eq!(config["config"]["architecture"], "arm64");

    let both = "--platform=linux/amd64,linux/arm64";
    let copied = bench.json(&["copy", &image, &bench.image("both:v1"), both]).await;
    let shown = bench.json(&["manifest", copied["image"].as_str().unwrap()]).await;
    assert_eq!(shown["manifest"]["manifests"].as_array().unwrap().len(), 2);

    bench.text(&["tag", &image, "arm", only]).await;
    assert_eq!(bench.text(&["digest", &bench.image("app:arm")]).await, arm64);
}

#[tokio::test]
async fn a_platform_nobody_offers_is_answered_with_what_is_offered() {
    let bench = Bench::new().await;
    sample::index(&bench.path("in"), "v1", SIZE).unwrap();
    let image = bench.image("app:v1");
    bench.text(&["push", &bench.word("in"), &image]).await;
    let out = bench.word("out");
    for words in [["digest", &image, ""], ["pull", &image, &out], ["config", &image, ""]] {
        let mut words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
        words.extend(["--platform", "windows/amd64"]);
        let lines = bench.refused(Exit::NotFound, &words).await;
        let expected = "no image for platform windows/amd64; offered: linux/amd64, linux/arm64";
        assert!(lines[0].contains(expected), "{lines:?}");
    }
    assert!(!bench.path("out").exists());
    let lines = bench.refused(Exit::Usage, &["config", &image]).await;
    assert!(lines[0].ends_with("offered: linux/amd64, linux/arm64"), "{lines:?}");

    let archive = bench.word("out.tar");
    let lines = bench.refused(Exit::Other, &["pull", &image, &archive]).await;
    assert!(lines.iter().any(|line| line.contains("--platform")), "{lines:?}");
    bench.text(&["pull", &image, &archive, "--platform", "linux/amd64"]).await;
}

#[tokio::test]
async fn options_before_the_verb_count_as_much_as_those_behind_it() {
    let bench = Bench::new().await;
    sample::index(&bench.path("in"), "v1", SIZE).unwrap();
    let (image, both) = (bench.image("app:v1"), bench.image("both:v1"));
    bench.text(&["--jobs", "2", "push", &bench.word("in"), &image]).await;
    let (amd64, arm64) = ("--platform=linux/amd64", "--platform=linux/arm64");
    bench.text(&["-q", amd64, "copy", arm64, &image, &both]).await;
    let index: Value = serde_json::from_str(&bench.text(&["manifest", &both]).await).unwrap();
    assert_eq!(index["manifests"].as_array().unwrap().len(), 2);
    let pairs: [(&[&str], &[&str]); 4] = [
        (&["--hosts-file", "absent.toml"], &["--no-hosts-files"]),
        (&["--no-hosts-files"], &["--aliases"]),
        (&["-q"], &["--verbose"]),
        (&["--jobs", "2"], &["-j3"]),
    ];
    for (before, behind) in pairs {
        let lines =
            bench.refused(Exit::Usage, &[before, &["digest", &image], behind].concat()).await;
        assert!(lines[0].contains("cannot be used"), "{lines:?}");
    }
    assert!(bench.text(&["--quiet", "help", "pull"]).await.contains("Usage: registry pull"));
    let lines = bench.refused(Exit::Usage, &["--quiet", "puhs"]).await;
    assert!(lines[0].contains("unrecognized subcommand 'puhs'"), "{lines:?}");
}

#[tokio::test]
async fn the_configuration_of_an_index_with_a_single_image_needs_no_platform() {
    const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    let index = |entries: &[&Value]| {
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries });
        Blob::new(INDEX, index.to_string())
    };
    let bench = Bench::new().await;
    let image = Image::small();
    let unnamed = image.manifest.descriptor();
    let mut named = unnamed.clone();
    named["platform"] = json!({ "os": "linux", "architecture": "amd64" });
    let plain = index(&[&unnamed]);
    let layout = layout::Layout::create(&bench.path("in")).unwrap();
    layout.put_image(&image, "image").unwrap();
    let rows = [
        ("named", index(&[&named])),
        ("twice", index(&[&named, &named])),
        ("nested", index(&[&plain.descriptor()])),
        ("unnamed", plain),
    ];
    for (tag, index) in &rows {
        layout.put(index).unwrap();
        layout.list(&index.descriptor(), Some(tag)).unwrap();
    }
    bench
        .text(&["push", "--all-tags", &format!("oci:{}", bench.word("in")), &bench.image("app")])
        .await;
    let config = bench.run(&["config", &bench.image("app:image")]).await.stdout;
    for (tag, _) in rows {
        let shown = bench.run(&["config", &bench.image(&format!("app:{tag}"))]).await;
        assert_eq!((shown.exit, &shown.stdout), (Exit::Done, &config), "{tag}: {shown:?}");
    }
}

#[tokio::test]
async fn manifest_and_config_are_printed_byte_for_byte() {
    let bench = Bench::new().await;
    let sample = sample::image(&bench.path("in"), "v1", SIZE).unwrap();
    let image = bench.image("app:v1");
    bench.text(&["push", &bench.word("in"), &image]).await;
    let stored = |digest: &str| {
        std::fs::read(bench.path("in").join("blobs").join(digest.replacen(':', "/", 1))).unwrap()
    };

    let manifest = bench.run(&["manifest", &image]).await.stdout;
    assert_eq!(manifest, stored(sample.digest()));
    let parsed: Value = serde_json::from_slice(&manifest).unwrap();
    let digest = parsed["config"]["digest"].as_str().unwrap();
    assert_eq!(bench.run(&["config", &image]).await.stdout, stored(digest));

    let shown = bench.json(&["manifest", &image]).await;
    assert_eq!((&shown["digest"], &shown["manifest"]), (&json!(sample.digest()), &parsed));
    assert_eq!(shown["size"], manifest.len());
    let shown = bench.json(&["config", &image]).await;
    assert_eq!((&shown["digest"], &shown["config"]["os"]), (&json!(digest), &json!("linux")));
}

#[tokio::test]
async fn tags_are_listed_added_and_deleted() {
    let bench = Bench::new().await;
    let sample = sample::image(&bench.path("in"), "v1", SIZE).unwrap();
    let (repository, image) = (bench.image("team/app"), bench.image("team/app:v1"));
    bench.text(&["push", &bench.word("in"), &image]).await;

    let tagged = bench.json(&["tag", &image, "stable", "v1.2"]).await;
    let pinned = format!("{repository}@{}", sample.digest());
    assert_eq!(
        tagged,
        json!({"image": pinned, "tags": ["stable", "v1.2"], "digest": sample.digest()})
    );
    bench.refused(Exit::Usage, &["tag", &image]).await;
    bench.refused(Exit::Usage, &["tag", &image, "good", "not/good"]).await;
    assert_eq!(bench.text(&["tag", &image, "newest"]).await, pinned);
    assert_eq!(bench.text(&["ls", &repository]).await, "newest\nstable\nv1\nv1.2");
    let listed = bench.json(&["ls", &repository]).await;
    assert_eq!(
        listed,
        json!({"repository": repository, "tags": ["newest", "stable", "v1", "v1.2"]})
    );

    let stable = format!("{repository}:stable");
    assert_eq!(bench.text(&["delete", &stable]).await, stable);
    assert_eq!(bench.text(&["ls", &repository]).await, "newest\nv1\nv1.2");
    let deleted = bench.json(&["delete", &pinned]).await;
    assert_eq!(deleted, json!({"deleted": pinned}));
    bench.refused(Exit::NotFound, &["digest", &image]).await;
}

#[tokio::test]
async fn a_manifest_is_deleted_by_its_tag_only_when_asked_to_and_a_blob_by_its_digest() {
    let bench = Bench::new().await;
    let sample = sample::image(&bench.path("in"), "v1", SIZE).unwrap();
    let (repository, image) = (bench.image("app"), bench.image("app:v1"));
    bench.text(&["push", &bench.word("in"), &image]).await;
    bench.text(&["tag", &image, "other"]).await;
    let shown = bench.json(&["manifest", &image]).await;
    let layer = shown["manifest"]["layers"][0]["digest"].as_str().unwrap();
    let layer = format!("{repository}@{layer}");
    bench.refused(Exit::Usage, &["delete", "--blob", &image]).await;
    bench.refused(Exit::Usage, &["delete", "--blob", "--resolve", &layer]).await;
    bench.refused(Exit::NotFound, &["delete", &layer]).await;
    assert_eq!(bench.text(&["delete", "--blob", &layer]).await, layer);
    bench.refused(Exit::NotFound, &["delete", "--blob", &layer]).await;

    let pinned = format!("{repository}@{}", sample.digest());
    assert_eq!(bench.json(&["delete", "--resolve", &image]).await, json!({"deleted": pinned}));
    bench.refused(Exit::NotFound, &["digest", &bench.image("app:other")]).await;
    bench.refused(Exit::NotFound, &["delete", "--resolve", &image]).await;
}

#[tokio::test]
async fn the_catalog_lists_what_was_pushed() {
    let bench = Bench::new().await;
    sample::image(&bench.path("in"), "v1", SIZE).unwrap();
    for name in ["b", "team/a"] {
        bench.text(&["push", &bench.word("in"), &bench.image(name)]).await;
    }
    assert_eq!(bench.text(&["catalog", &bench.host]).await, "b\nteam/a");
    let listed = bench.json(&["catalog", &bench.host]).await;
    assert_eq!(listed, json!({"registry": bench.host, "repositories": ["b", "team/a"]}));
}

#[tokio::test]
async fn an_artifact_goes_with_its_subject() {
    let bench = Bench::new().await;
    let subject = sample::image(&bench.path("in"), "v1", SIZE).unwrap();
    let artifact = sample::artifact(&bench.path("sbom"), "list", &subject.descriptor).unwrap();
    bench.text(&["push", &bench.word("in"), &bench.image("app:v1")]).await;
    bench.text(&["push", &bench.word("sbom"), &bench.image("app:list")]).await;
    assert_eq!(bench.text(&["digest", &bench.image("app:list")]).await, artifact.digest());
    let shown = bench.json(&["manifest", &bench.image("app:list")]).await;
    assert_eq!(shown["manifest"]["subject"]["digest"], subject.digest());
    assert_eq!(bench.text(&["config", &bench.image("app:list")]).await, "{}");
}

#[tokio::test]
async fn version_and_help_are_results() {
    let bench = Bench::new().await;
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(bench.text(&["version"]).await, format!("registry {version}"));
    assert_eq!(bench.text(&["--version"]).await, format!("registry {version}"));
    assert_eq!(bench.json(&["version"]).await, json!({"name": "registry", "version": version}));
    for words in [&["--help"][..], &["help", "pull"], &["delete", "--help"]] {
        assert!(bench.text(words).await.contains("Usage: registry"), "{words:?}");
    }
}

#[tokio::test]
async fn what_happened_is_said_unless_quiet() {
    let bench = Bench::new().await;
    let sample = sample::image(&bench.path("in"), "v1", SIZE).unwrap();
    let words = ["push", &bench.word("in"), &bench.image("app:v1")];
    let said = bench.run(&words).await.stderr;
    assert!(said.starts_with(&format!("{} blobs copied (", sample.blobs - 1)), "{said}");
    let said = bench.run(&words).await.stderr;
    assert!(said.starts_with("everything was there already in "), "{said}");
    let quiet = ["push", &bench.word("in"), &bench.image("other:v1"), "--quiet"];
    assert_eq!(bench.run(&quiet).await.stderr, "");
}

#[tokio::test]
async fn stats_say_what_a_verb_took_as_text_and_as_json() {
    let bench = Bench::new().await;
    sample::image(&bench.path("in"), "v1", SIZE).unwrap();
    let image = bench.image("team/app:v1");
    bench.text(&["push", &format!("oci:{}:v1", bench.word("in")), &image]).await;

    let outcome = bench.run(&["digest", &image, "--stats"]).await;
    assert_eq!(outcome.exit, Exit::Done);
    let line = outcome.stderr.lines().last().unwrap().to_owned();
    assert!(line.starts_with("stats: 1 requests, 0 retries, 0 token requests, "), "{line}");

    let outcome =
        bench.run(&["pull", &image, &bench.word("out"), "--stats", "--output", "json"]).await;
    let stats: Value = serde_json::from_str(outcome.stderr.lines().last().unwrap()).unwrap();
    let stats = &stats["stats"];
    assert!(stats["requests"].as_u64() > Some(2) && stats["connections"].as_u64() > Some(0));
    assert!(stats["bytes_received"].as_u64() > Some(SIZE / 8), "{stats}");
    assert_eq!(stats["bytes_sent"], 0);
}
