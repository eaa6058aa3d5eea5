use serde_json::Value;

use super::*;

fn entry(fill: char) -> Descriptor {
    let digest = format!("sha256:{}", fill.to_string().repeat(64)).parse().unwrap();
    Descriptor::new(media_type::OCI_MANIFEST, digest, 7)
}

fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

fn add(index: Option<&str>, fill: char, name: Option<&str>) -> Option<Value> {
    add_all(index, &[(fill, name)])
}

fn add_all(index: Option<&str>, entries: &[(char, Option<&str>)]) -> Option<Value> {
    let entry =
        |(fill, name): &(char, Option<&str>)| Entry { manifest: entry(*fill), tag: name.map(tag) };
    let entries: Vec<_> = entries.iter().map(entry).collect();
    let new = with_entries(index.map(str::as_bytes), &entries);
    new.unwrap().map(|bytes| serde_json::from_slice(&bytes).unwrap())
}

/// (tag, first digit of the digest) of each entry.
fn rows(index: &Value) -> Vec<(&str, char)> {
    let row = |entry: &'_ Value| entry["digest"].as_str().unwrap().chars().nth(7).unwrap();
    let entries = index["manifests"].as_array().unwrap().iter();
    entries
        .map(|entry| (entry["annotations"][REF_NAME].as_str().unwrap_or("-"), row(entry)))
        .collect()
}

#[test]
fn a_new_index_is_a_whole_one() {
    let index = add(None, 'a', Some("v1")).unwrap();
    assert_eq!(rows(&index), [("v1", 'a')]);
    assert_eq!(index["schemaVersion"], 2);
    assert_eq!(index["mediaType"], media_type::OCI_INDEX);
    assert_eq!(index["manifests"][0]["size"], 7);
}

#[test]
fn null_and_missing_entries_are_none() {
    for old in [r#"{"manifests":null}"#, "{}"] {
        assert_eq!(rows(&add(Some(old), 'a', None).unwrap()), [("-", 'a')]);
    }
}

#[test]
fn a_tag_moves_in_its_place_and_stands_once() {
    let old = add(None, 'a', Some("v1")).unwrap().to_string();
    let old = add(Some(&old), 'b', Some("v2")).unwrap();
    let mut twice = old.clone();
    let again = twice["manifests"][0].clone();
    twice["manifests"].as_array_mut().unwrap().push(again);
    for old in [old, twice] {
        let new = add(Some(&old.to_string()), 'c', Some("v1")).unwrap();
        assert_eq!(rows(&new), [("v1", 'c'), ("v2", 'b')]);
    }
}

#[test]
fn what_is_listed_already_changes_nothing() {
    let old = add(None, 'a', Some("v1")).unwrap().to_string();
    assert!(add(Some(&old), 'a', Some("v1")).is_none());
    assert!(add(Some(&old), 'a', None).is_none());
    let other = add(Some(&old), 'b', None).unwrap().to_string();
    assert!(add(Some(&other), 'b', None).is_none());
    let named = add(Some(&other), 'b', Some("v2")).unwrap();
    assert_eq!(rows(&named), [("v1", 'a'), ("-", 'b'), ("v2", 'b')]);
}

#[test]
fn what_is_no_index_is_refused() {
    for old in ["[]", "7", "{", r#"{"manifests":{}}"#] {
        let entry = Entry { manifest: entry('a'), tag: None };
        assert!(with_entries(Some(old.as_bytes()), &[entry]).is_err(), "{old}");
    }
}

/// What is added at once is what is added one after the other.
#[test]
fn several_entries_at_once_are_those_that_one_after_the_other_would_be() {
    let given = [
        ('a', Some("v1")),
        ('b', None),
        ('c', Some("v2")),
        ('b', None),
        ('a', None),
        ('d', Some("v3")),
        ('d', None),
    ];
    for old in [None, Some(r#"{"manifests":[]}"#.to_owned()), {
        add_all(None, &[('e', Some("v2")), ('e', None)]).map(|old| old.to_string())
    }] {
        let mut index = old.clone();
        for (fill, name) in given {
            if let Some(new) = add(index.as_deref(), fill, name) {
                index = Some(new.to_string());
            }
        }
        let (one, all) = (index.unwrap(), add_all(old.as_deref(), &given).unwrap());
        let one: Value = serde_json::from_str(&one).unwrap();
        assert_eq!(rows(&all), rows(&one));
        assert!(add_all(Some(&all.to_string()), &given).is_none());
    }
}
