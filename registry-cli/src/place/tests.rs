use super::*;

const HEX: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

#[expect(clippy::unnecessary_wraps, reason = "as a place has it")]
fn tag(text: &str) -> Option<Name> {
    Some(Name::Tag(text.parse().unwrap()))
}

fn layout(dir: &str, name: Option<Name>) -> Place {
    Place { kind: Kind::Layout, path: dir.into(), name }
}

fn oci_archive(file: &str, name: Option<Name>) -> Place {
    Place { kind: Kind::OciArchive, path: file.into(), name }
}

fn docker_archive(file: &str, image: Option<&str>) -> Place {
    let name = image.map(|image| Name::Image(image.parse().unwrap()));
    Place { kind: Kind::DockerArchive, path: file.into(), name }
}

fn by_content(path: &str) -> Place {
    Place { kind: Kind::ByContent, path: path.into(), name: None }
}

#[test]
fn a_prefixed_place_is_split_where_its_name_begins() {
    for (word, expected) in [
        ("oci:dir", layout("dir", None)),
        ("oci:/a/b:v1", layout("/a/b", tag("v1"))),
        ("oci:a:b/c", layout("a:b/c", None)),
        ("oci:a:b/c:v1", layout("a:b/c", tag("v1"))),
        ("oci:a:b:c", layout("a:b", tag("c"))),
        ("oci:a:-b", layout("a:-b", None)),
        ("oci:a:", layout("a:", None)),
        ("oci:./a.tar", layout("./a.tar", None)),
        ("oci:C:\\images\\a", layout("C:\\images\\a", None)),
        ("oci-archive:a.tar", oci_archive("a.tar", None)),
        ("oci-archive:a.tar:v1", oci_archive("a.tar", tag("v1"))),
        ("oci-archive:at-12:30.tar", oci_archive("at-12:30.tar", None)),
        ("oci-archive:image", oci_archive("image", None)),
        ("docker-archive:a.tar", docker_archive("a.tar", None)),
        ("docker-archive:a.tar:ubuntu", docker_archive("a.tar", Some("ubuntu:latest"))),
        ("docker-archive:a.tar:ubuntu:22.04", docker_archive("a.tar", Some("ubuntu:22.04"))),
        ("docker-archive:a:h.test:5000/b:1", docker_archive("a", Some("h.test:5000/b:1"))),
        ("docker-archive:at-12:30.tar", docker_archive("at-12:30.tar", None)),
        ("docker-archive:at-12:30.tar:a:1", docker_archive("at-12:30.tar", Some("a:1"))),
    ] {
        assert_eq!(Place::to_read(word), Ok(expected.clone()), "{word}");
        assert_eq!(Place::to_write(word), Ok(expected), "{word}");
    }
}

#[test]
fn a_digest_chooses_where_something_is_read_and_nowhere_else() {
    let digest: Digest = format!("sha256:{HEX}").parse().unwrap();
    let name = Some(Name::Digest(digest.clone()));
    for (word, expected) in [
        (format!("oci:a@{digest}"), layout("a", name.clone())),
        (format!("oci-archive:a.tar@{digest}"), oci_archive("a.tar", name.clone())),
        (format!("oci:a:v1@{digest}"), layout("a", name.clone())),
        (format!("oci-archive:a.tar:v1@{digest}"), oci_archive("a.tar", name.clone())),
        (
            format!("docker-archive:a.tar@{digest}"),
            Place { name: name.clone(), ..docker_archive("a.tar", None) },
        ),
        (
            format!("docker-archive:a.tar:V1@{digest}"),
            Place { name, ..docker_archive("a.tar", None) },
        ),
    ] {
        assert_eq!(Place::to_read(&word), Ok(expected), "{word}");
        assert_eq!(Place::to_write(&word), Err(PlaceError::Digest { word }));
    }
}

#[test]
fn a_bare_path_is_a_place_of_push_and_pull() {
    for (word, written) in [
        ("dir", layout("dir", None)),
        ("a/b:v1", layout("a/b:v1", None)),
        ("./a.tgz", layout("./a.tgz", None)),
        ("a.tar", docker_archive("a.tar", None)),
        ("/a/b.tar", docker_archive("/a/b.tar", None)),
        ("unknown:dir", layout("unknown:dir", None)),
    ] {
        assert_eq!(Place::to_read(word), Ok(by_content(word)), "{word}");
        assert_eq!(Place::to_write(word), Ok(written), "{word}");
    }
}

#[test]
fn what_names_no_place_is_refused() {
    for word in ["", "oci:", "oci::v1", "oci-archive:", "docker-archive:", "docker-archive::a"] {
        let found = Place::to_read(word);
        assert!(matches!(found, Err(PlaceError::Missing { .. })), "{word}: {found:?}");
        assert_eq!(Place::to_write(word), found, "{word}");
    }
    for word in ["docker://ubuntu", "https://ghcr.io/a/b"] {
        assert_eq!(Place::to_write(word), Err(PlaceError::Scheme { word: word.into() }));
    }
    for word in ["-", "oci:-", "oci-archive:-:v1", "docker-archive:-"] {
        let found = Place::to_read(word).unwrap_err();
        assert!(found.hint().is_some_and(|hint| hint.contains("./-")), "{word}: {found:?}");
        assert_eq!(Place::to_write(word), Err(found), "{word}");
    }
    assert_eq!(Place::to_write("./-"), Ok(layout("./-", None)));
    let image = Place::to_read("docker-archive:a.tar:Up/case");
    assert!(matches!(image, Err(PlaceError::Image(_))), "{image:?}");
}

#[test]
fn copy_takes_a_word_for_an_image_unless_it_looks_like_a_place() {
    let read = |path: &str| Endpoint::Place(by_content(path));
    let image = |text: &str| Endpoint::Image(text.parse().unwrap());
    for (word, source, destination) in [
        ("ubuntu", image("ubuntu"), image("ubuntu")),
        ("dir/sub", image("dir/sub"), image("dir/sub")),
        ("localhost:5000/a:b", image("localhost:5000/a:b"), image("localhost:5000/a:b")),
        ("image.tar", image("image.tar"), image("image.tar")),
        ("./dir", read("./dir"), Endpoint::Place(layout("./dir", None))),
        ("../dir", read("../dir"), Endpoint::Place(layout("../dir", None))),
        ("/dir", read("/dir"), Endpoint::Place(layout("/dir", None))),
        ("./a.tar", read("./a.tar"), Endpoint::Place(docker_archive("./a.tar", None))),
    ] {
        assert_eq!(Endpoint::source(word), Ok(source), "{word}");
        assert_eq!(Endpoint::destination(word), Ok(destination), "{word}");
    }
    let place = Endpoint::Place(layout("dir", tag("v1")));
    assert_eq!(Endpoint::source("oci:dir:v1"), Ok(place));
    for word in ["dir\\a", ".", "~/a", "docker://ubuntu", "oci-dir:/x"] {
        let found = Endpoint::source(word);
        assert!(matches!(found, Err(PlaceError::Image(_))), "{word}: {found:?}");
    }
}
