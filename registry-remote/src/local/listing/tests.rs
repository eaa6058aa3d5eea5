use super::*;

fn listing(rows: &[(&str, &str, char)]) -> Listing {
    let entry = |(tag, name, fill): &(&str, &str, char)| {
        let digest = format!("sha256:{}", fill.to_string().repeat(64)).parse().unwrap();
        let mut entry = Descriptor::new("", digest, 7);
        let given = [(REF_NAME, tag), (IMAGE_NAME, name)];
        let given = given.into_iter().filter(|(_, value)| !value.is_empty());
        entry.annotations.extend(given.map(|(key, value)| (key.to_owned(), (*value).to_owned())));
        entry
    };
    Listing::new(rows.iter().map(entry).collect())
}

fn fill(found: Result<&Descriptor, Error>) -> Result<char, String> {
    let digit = |entry: &Descriptor| entry.digest.hex().chars().next().unwrap();
    found.map(digit).map_err(|error| error.to_string())
}

#[test]
fn a_bare_tag_comes_before_a_name_that_ends_in_it() {
    let listing = listing(&[("a.example/b:v1", "", 'a'), ("v1", "", 'b'), ("v2", "", 'c')]);
    let tag = |text: &str| fill(listing.tag(&text.parse().unwrap(), "here"));
    assert_eq!(tag("v1"), Ok('b'));
    assert_eq!(tag("v2"), Ok('c'));
    assert_eq!(tag("v3"), Err("here has no tag v3; it has: a.example/b:v1, v1, v2".to_owned()));
    let tags: Vec<_> = listing.tags().iter().map(ToString::to_string).collect();
    assert_eq!(tags, ["v1", "v2"]);
}

#[test]
fn a_name_is_found_however_it_is_written() {
    let listing =
        listing(&[("v1", "docker.io/library/app:v1", 'a'), ("v1", "ghcr.io/x/app:v1", 'b')]);
    let image = |text: &str| fill(listing.image(&text.parse().unwrap(), "here"));
    assert_eq!(image("app:v1"), Ok('a'));
    assert_eq!(image("ghcr.io/x/app:v1"), Ok('b'));
    assert_eq!(image(&format!("other@sha256:{}", "b".repeat(64))), Ok('b'));
    assert!(image("app").unwrap_err().starts_with("here has no image app:latest; it has: "));
}

#[test]
fn a_tag_of_several_images_is_not_guessed() {
    let listing = listing(&[("v1", "", 'a'), ("v1", "", 'b'), ("v1", "", 'a')]);
    let error = fill(listing.tag(&"v1".parse().unwrap(), "here")).unwrap_err();
    assert!(error.starts_with("here has several images for tag v1: sha256:aaa"), "{error}");
}

#[test]
fn one_image_of_several_names_is_the_only_one() {
    assert_eq!(fill(listing(&[("v1", "", 'a'), ("v2", "", 'a')]).only("here")), Ok('a'));
    assert_eq!(fill(listing(&[]).only("here")), Err("here has no image".to_owned()));
    let many: Vec<_> =
        (0..12).map(|n| (format!("v{n:02}"), char::from_digit(n, 16).unwrap())).collect();
    let many: Vec<_> = many.iter().map(|(tag, fill)| (tag.as_str(), "", *fill)).collect();
    let error = fill(listing(&many).only("here")).unwrap_err();
    assert!(error.ends_with("v08, v09, and 2 more"), "{error}");
}

#[test]
fn a_bare_tag_is_no_name() {
    let listing = listing(&[("latest", "", 'a')]);
    assert!(listing.image(&"latest:latest".parse().unwrap(), "here").is_err());
}
