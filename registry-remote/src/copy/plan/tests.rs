use super::*;
use crate::verify;

/// A manifest with these children; nothing is ever fetched, so any digest will do.
fn image(layers: &[&str]) -> Manifest {
    let config = entry(media_type::OCI_CONFIG, &digest("config"));
    let layers: Vec<_> =
        layers.iter().map(|layer| entry(media_type::OCI_LAYER_GZIP, &digest(layer))).collect();
    let text =
        format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{}]}}"#, layers.join(","));
    Manifest::new(text, Some(media_type::OCI_MANIFEST), "test").unwrap()
}

fn index(children: &[&Manifest], note: &str) -> Manifest {
    let entries: Vec<_> =
        children.iter().map(|child| entry(child.media_type(), child.digest())).collect();
    let text = format!(
        r#"{{"schemaVersion":2,"manifests":[{}],"annotations":{{"note":"{note}"}}}}"#,
        entries.join(",")
    );
    Manifest::new(text, Some(media_type::OCI_INDEX), "test").unwrap()
}

fn entry(media_type: &str, digest: &Digest) -> String {
    format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":1}}"#)
}

fn digest(text: &str) -> Digest {
    verify::digest(registry_name::Algorithm::Sha256, text.as_bytes())
}

fn plan(root: &Manifest, others: &[&Manifest]) -> Plan {
    plan_of(root, others, false).unwrap()
}

fn plan_of(root: &Manifest, others: &[&Manifest], nondistributable: bool) -> Result<Plan, Error> {
    let mut asked = Root::new(root.descriptor().clone(), false);
    asked.write = true;
    let all = others.iter().copied().chain([root]);
    let node = |manifest: &Manifest| Node { manifest: manifest.clone(), whole: true };
    let nodes = all.map(|manifest| (manifest.digest().clone(), node(manifest))).collect();
    Plan::new(Found { roots: vec![asked], nodes, ..Found::default() }, nondistributable)
}

fn position(plan: &Plan, manifest: &Manifest) -> usize {
    plan.manifests().position(|one| one.digest() == manifest.digest()).unwrap()
}

#[test]
fn p09_children_come_before_parents_also_where_two_indexes_share_a_child() {
    let (a, b) = (image(&["a"]), image(&["b"]));
    let left = index(&[&a, &b], "left");
    let right = index(&[&b], "right");
    let root = index(&[&right, &left], "root");
    let plan = plan(&root, &[&a, &b, &left, &right]);
    assert_eq!(plan.manifests().len(), 5);
    for parent in [&left, &right, &root] {
        for child in parent.children() {
            let child = plan.manifests().position(|one| *one.digest() == child.digest);
            assert!(child.unwrap() < position(&plan, parent));
        }
    }
    assert_eq!(plan.root().descriptor.digest, *root.digest());
}

#[test]
fn g07_a_blob_that_several_name_is_planned_once() {
    let (a, b) = (image(&["shared", "a", "shared"]), image(&["shared", "b"]));
    let plan = plan(&index(&[&a, &b], "root"), &[&a, &b]);
    assert_eq!(plan.blobs().len(), 4, "config, shared, a, b");
    assert_eq!(plan.bytes(), 4);
}

#[test]
fn g02_a_graph_of_diamonds_costs_linear_work() {
    let mut layers = vec![image(&["a"])];
    for level in 0..30 {
        let below = layers.last().unwrap().clone();
        layers.push(index(&[&below, &below, &below], &level.to_string()));
    }
    let (root, others) = layers.split_last().unwrap();
    assert_eq!(plan(root, &others.iter().collect::<Vec<_>>()).manifests().len(), 31);
}

#[test]
fn a_wave_needs_only_earlier_ones() {
    let (a, b) = (image(&["a"]), image(&["b"]));
    let inner = index(&[&b], "inner");
    let root = index(&[&a, &inner], "root");
    let plan = plan(&root, &[&a, &b, &inner]);
    let sizes: Vec<_> = plan.waves().iter().map(Vec::len).collect();
    assert_eq!(sizes, [2, 1, 1]);
    assert_eq!(plan.waves()[2][0].digest(), root.digest());
}

#[test]
fn a_tag_waits_for_what_goes_along_also_where_an_index_needs_its_image() {
    let (image, signature) = (image(&["a"]), image(&["signature"]));
    let (root, along) = (index(&[&image], "root"), index(&[&signature], "along"));
    let all = [&signature, &along, &image, &root];
    let nodes = all.map(|one| (one.digest().clone(), Node { manifest: one.clone(), whole: true }));
    let root_of = |manifest: &Manifest, companion| Root {
        write: true,
        ..Root::new(manifest.descriptor().clone(), companion)
    };
    // What goes along may be asked for itself.
    for more in [vec![], vec![root_of(&along, false)]] {
        let mut roots = vec![root_of(&root, false), root_of(&image, false), root_of(&along, true)];
        roots.extend(more);
        let nodes = nodes.clone().into_iter().collect();
        let found = Found { roots, nodes, ..Found::default() };
        let waves = Plan::new(found, false).unwrap().waves();
        let waves: Vec<Vec<_>> =
            waves.iter().map(|wave| wave.iter().map(Manifest::digest).collect()).collect();
        assert_eq!(waves, all.map(|one| vec![one.digest()]));
    }
}

#[test]
fn what_the_sink_has_is_left_out() {
    let (a, b) = (image(&["a"]), image(&["b"]));
    let plan = plan(&index(&[&a, &b], "root"), &[&a]);
    assert_eq!(plan.manifests().len(), 2);
    assert!(plan.blobs().iter().all(|blob| blob.digest != digest("b")));
}

#[test]
fn g08_layers_that_may_not_be_handed_on_stay_out_unless_asked_for() {
    let foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    let config = entry(media_type::OCI_CONFIG, &digest("config"));
    let layer = entry(foreign, &digest("foreign"));
    let text = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layer}]}}"#);
    let root = Manifest::new(text, None, "test").unwrap();
    for (nondistributable, blobs) in [(false, 1), (true, 2)] {
        let plan = plan_of(&root, &[], nondistributable).unwrap();
        assert_eq!(plan.blobs().len(), blobs);
    }
}

#[test]
fn an_entry_that_is_a_plain_blob_travels_as_one() {
    let blob = entry("application/octet-stream", &digest("blob"));
    let text = format!(r#"{{"schemaVersion":2,"manifests":[{blob}]}}"#);
    let root = Manifest::new(text, Some(media_type::OCI_INDEX), "test").unwrap();
    assert_eq!(plan(&root, &[]).blobs().len(), 1);
}

#[test]
fn i12_one_blob_of_two_sizes_is_refused_before_anything_moves() {
    let layer = entry(media_type::OCI_LAYER_GZIP, &digest("layer"));
    let other = layer.replace(r#""size":1"#, r#""size":2"#);
    let config = entry(media_type::OCI_CONFIG, &digest("config"));
    let text = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layer},{other}]}}"#);
    let root = Manifest::new(text, None, "test").unwrap();
    let error = plan_of(&root, &[], false).unwrap_err();
    assert!(error.to_string().contains("2 bytes here and 1 elsewhere"), "{error}");
}
