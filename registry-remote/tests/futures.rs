//! Every public future can be spawned: it is `Send`, whatever it holds across its waits.

use std::sync::Arc;

use registry_name::{Digest, Identifier, Tag};
use registry_remote::{
    ArchiveSource, ArchiveWriter, Client, Composed, Compression, CopyOptions, Descriptor, Fetched,
    Image, ImageBuilder, Index, Input, Layer, Layout, Manifest, Memory, Part, Parts, Plan,
    Platform, Referrers, Remote, Repositories, Sink, Source, Tags, Version, copy, get, read_blob,
    select, verified_blob,
};

fn assert_send<T: Send>(_: T) {}

fn assert_shareable<T: Send + Sync>() {}

// Compiled, never run.
#[allow(dead_code, reason = "what is checked here is checked by the compiler")]
fn every_public_future_is_send(
    (source, sink): (&Arc<dyn Source>, &Arc<dyn Sink>),
    (identifier, tag, digest): (&Identifier, &Tag, &Digest),
    (blob, parts, manifest, plan): (&Descriptor, &Parts, &Manifest, &Plan),
    (client, remote, platform): (&Client, &Remote, &Platform),
    (mut tags, mut repositories): (Tags, Repositories),
    (fetched, image, index, layer): (&Fetched, &Image, &Index, &Layer),
    (version, layout, mut composing): (&Version, &Layout, ImageBuilder),
) {
    let options = &CopyOptions::default();
    assert_send(copy::plan(source, &[], sink, options));
    assert_send(plan.clone().run(source, sink, options));
    assert_send(plan.clone().missing(sink, 1));
    assert_send(source.list_tags());
    assert_send(source.referrers_of(digest, None));
    assert_send(sink.has_blob(blob));
    assert_send(copy(source, identifier, sink, Some(tag), &CopyOptions::default()));
    assert_send(select::image(source.as_ref(), manifest.clone(), platform));
    assert_send(verified_blob(source.as_ref(), blob));
    assert_send(read_blob(source.as_ref(), blob, 1));

    assert_send(get(source, identifier));
    assert_send(fetched.image(Some(platform)));
    assert_send(Image::open(source, identifier, Some(platform)));
    assert_send(image.config());
    assert_send(image.to_oci_config());
    assert_send(image.platform());
    assert_send(image.diff_ids());
    assert_send(image.layers());
    assert_send(ImageBuilder::base(image));
    assert_send(composing.layer(Input::file("file"), Compression::Gzip));
    assert_send(composing.blob("type", Input::file("file")));
    assert_send(Index::open(source, identifier));
    assert_send(index.image(Some(platform)));
    assert_send(index.entry(blob));
    assert_send(Layer::open(source, digest));
    assert_send(layer.compressed());
    assert_send(layer.uncompressed());

    assert_send(source.manifest(identifier));
    assert_send(source.describe_blob(digest));
    assert_send(source.open_blob(blob, 0));
    assert_send(sink.resolve(identifier));
    assert_send(sink.begin(plan));
    assert_send(sink.put_blob(blob, source));
    assert_send(sink.put_manifest(manifest, std::slice::from_ref(tag)));
    assert_send(sink.repair(manifest, source));
    assert_send(sink.finish());
    assert_send(sink.abandon());

    assert_send(client.abandon_uploads());
    assert_send(parts.open(Part::From(0)));
    assert_send(remote.blob(blob));
    assert_send(remote.save_blob(blob, "file"));
    assert_send(remote.head_blob(digest));
    assert_send(remote.check_push());
    assert_send(remote.delete_blob(digest));
    assert_send(remote.put_manifest_tags(manifest, &[]));
    assert_send(remote.put_raw("bytes", None, &[]));
    assert_send(remote.upload("type", Input::bytes("bytes")));
    assert_send(copy::TagFilter::default().choose(source.as_ref()));
    assert_send(remote.summary(identifier));
    assert_send(remote.get(identifier));
    assert_send(remote.get_if_changed(identifier, version));
    assert_send(remote.get_manifest(identifier));
    assert_send(remote.head_manifest(identifier));
    assert_send(remote.delete_manifest(digest));
    assert_send(remote.delete_tag(tag));
    assert_send(remote.referrers(digest, None));
    assert_send(tags.next());
    assert_send(tags.all());
    assert_send(repositories.next());
    assert_send(repositories.all());

    assert_send(Layout::open("directory"));
    assert_send(layout.entries());
    assert_send(layout.tags());
    assert_send(layout.only());
    assert_send(ArchiveSource::open("file"));
}

#[test]
fn what_is_passed_between_tasks_can_be() {
    assert_shareable::<Client>();
    assert_shareable::<Composed>();
    assert_shareable::<Fetched>();
    assert_shareable::<Image>();
    assert_shareable::<Index>();
    assert_shareable::<Layer>();
    assert_shareable::<Remote>();
    assert_shareable::<Manifest>();
    assert_shareable::<Memory>();
    assert_shareable::<Layout>();
    assert_shareable::<ArchiveSource>();
    assert_shareable::<ArchiveWriter>();
    assert_shareable::<CopyOptions>();
    assert_shareable::<Referrers>();
    assert_shareable::<registry_remote::Error>();
}
