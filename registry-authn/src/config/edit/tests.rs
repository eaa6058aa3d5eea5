use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{remove, set};

const DOCKER: &str = "{\n\t\"auths\": {\n\t\t\"a.io\": {\n\t\t\t\"auth\": \"eA==\"\n\t\t}\n\t},\n\t\"credsStore\": \"\"\n}";

const SPREAD: &str = "{\n\t\"auths\": {\n\t\t\"b.io\": {\n\t\t\t\"auth\": \"eQ==\"\n\t\t}\n\t}\n}";

#[track_caller]
fn sets(before: &str, after: &str) {
    let changed = set(before, "auths", "b.io", r#"{"auth":"eQ=="}"#).unwrap();
    assert_eq!(changed, after);
    let value: Value = serde_json::from_str(&changed).unwrap();
    assert_eq!(value["auths"]["b.io"]["auth"], "eQ==");
    let again = set(&changed, "auths", "b.io", r#"{"auth":"eQ=="}"#).unwrap();
    assert_eq!(again, changed);
    let gone: Value = serde_json::from_str(&remove(&changed, "auths", "b.io").unwrap()).unwrap();
    assert!(gone["auths"].is_object() && gone["auths"].get("b.io").is_none());
}

#[test]
fn a_new_entry_is_indented_like_its_neighbours() {
    sets("", "{\n\t\"auths\": {\n\t\t\"b.io\": {\n\t\t\t\"auth\": \"eQ==\"\n\t\t}\n\t}\n}\n");
    sets(
        DOCKER,
        "{\n\t\"auths\": {\n\t\t\"a.io\": {\n\t\t\t\"auth\": \"eA==\"\n\t\t},\n\t\t\"b.io\": {\n\t\t\t\"auth\": \"eQ==\"\n\t\t}\n\t},\n\t\"credsStore\": \"\"\n}",
    );
    sets(
        "{\n  \"auths\": {\n    \"a.io\": {}\n  }\n}\n",
        "{\n  \"auths\": {\n    \"a.io\": {},\n    \"b.io\": {\n      \"auth\": \"eQ==\"\n    }\n  }\n}\n",
    );
    sets(r#"{"auths":{"a.io":{}}}"#, r#"{"auths":{"a.io":{},"b.io": {"auth":"eQ=="}}}"#);
}

#[test]
fn an_object_that_is_missing_or_empty_is_filled() {
    sets("{}", SPREAD);
    sets("{\n\t\"auths\": {}\n}", SPREAD);
    sets(r#"{"x": 1}"#, r#"{"x": 1,"auths": {"b.io": {"auth":"eQ=="}}}"#);
    sets(r#"{"auths":null,"x":1}"#, r#"{"auths":{"b.io": {"auth":"eQ=="}},"x":1}"#);
}

#[test]
fn an_entry_that_is_there_is_replaced_and_no_other_byte_changes() {
    let odd = r#"  { "z" : 1e400 , "auths" : { "a.io":{"auth":"\"}{","n":[1,{"b.io":2}]} ,"b.io" : {"old":true} } ,"a\u0075ths2":{} }  "#;
    let after = set(odd, "auths", "b.io", r#"{"auth":"eQ=="}"#).unwrap();
    assert_eq!(after, odd.replace(r#"{"old":true}"#, r#"{"auth":"eQ=="}"#));
}

#[test]
fn an_entry_inside_a_line_stays_in_it() {
    let inside = "{\n  \"auths\": {\"b.io\": {\"old\":true}, \"c.io\": {}}\n}";
    let after = set(inside, "auths", "b.io", r#"{"auth":"eQ=="}"#).unwrap();
    assert_eq!(after, inside.replace(r#"{"old":true}"#, r#"{"auth":"eQ=="}"#));
}

#[test]
fn removing_takes_the_comma_and_leaves_the_rest() {
    let all = r#"{"auths":{"a":{}, "b":{} ,"c":[1,"}"] }}"#;
    assert_eq!(remove(all, "auths", "a").unwrap(), r#"{"auths":{"b":{} ,"c":[1,"}"] }}"#);
    assert_eq!(remove(all, "auths", "b").unwrap(), r#"{"auths":{"a":{}, "c":[1,"}"] }}"#);
    assert_eq!(remove(all, "auths", "c").unwrap(), r#"{"auths":{"a":{}, "b":{} }}"#);
    assert_eq!(remove(all, "auths", "d").unwrap(), all);
    assert_eq!(remove("{}", "auths", "d").unwrap(), "{}");
    assert_eq!(remove(r#"{"auths":{ "a":1 }}"#, "auths", "a").unwrap(), r#"{"auths":{}}"#);
    let twice = r#"{"auths":{"a":1,"b":2,"\u0061":3}}"#;
    assert_eq!(remove(twice, "auths", "a").unwrap(), r#"{"auths":{"b":2}}"#);
}

#[test]
fn what_is_no_document_is_left_alone() {
    for text in
        ["[]", "{", "{\"auths\"", "{\"auths\":[]}", "{\"auths\":{\"b.io\":", "nope", "{\"a\":,}"]
    {
        assert_eq!(set(text, "auths", "b.io", "{}"), None, "{text}");
    }
}

/// JSON with names and texts that scanners stumble over.
fn value() -> impl Strategy<Value = Value> {
    let text = || "[a-c\"\\\\{}\\[\\],: \n\u{e9}\u{1f600}]{0,6}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<i16>().prop_map(|n| Value::from(f64::from(n) / 8.0)),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(text(), inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map("[a-c\"\\\\}]{1,3}", value(), 0..5)
        .prop_map(|fields| fields.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn editing_the_text_is_editing_the_value(
        mut top in object(),
        auths in prop::option::of(object()),
        name in "[a-c\"\\\\}]{1,3}",
        known in prop::option::of(any::<prop::sample::Index>()),
        new in object(),
        format in 0..3,
    ) {
        top.remove("auths");
        // Half of the time an entry that is there is replaced.
        let names: Vec<_> = auths.iter().flat_map(|auths| auths.keys().cloned()).collect();
        let known = known.filter(|_| !names.is_empty()).map(|known| known.get(&names).clone());
        let name = known.unwrap_or(name);
        if let Some(auths) = auths {
            top.insert("auths".to_owned(), Value::Object(auths));
        }
        let before = Value::Object(top);
        let text = match format {
            0 => before.to_string(),
            1 => format!("{before:#}\n"),
            _ => before.to_string().replacen('{', "{\n ", 1),
        };
        let new = Value::Object(new);

        let mut after = before.clone();
        if after.get("auths").is_none() {
            after["auths"] = json!({});
        }
        after["auths"][&name] = new.clone();
        let set = set(&text, "auths", &name, &new.to_string()).unwrap();
        prop_assert_eq!(serde_json::from_str::<Value>(&set).unwrap(), after.clone(), "{}", set);

        after["auths"].as_object_mut().unwrap().remove(&name);
        let removed = remove(&set, "auths", &name).unwrap();
        prop_assert_eq!(serde_json::from_str::<Value>(&removed).unwrap(), after, "{}", removed);
    }

    #[test]
    fn text_that_is_no_json_is_never_a_panic(text in "[a\"\\\\{}\\[\\],: \n\u{e9}1]{0,24}") {
        let _ = set(&text, "a", "a", "{\"a\":1}");
        let _ = remove(&text, "a", "a");
    }
}
