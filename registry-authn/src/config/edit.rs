//! Changes one member of a JSON document and no byte of the rest.
//!
//! Whoever formats a config file by hand, or keeps things in it that nobody here has heard of, finds all of
//! it again. The text has been parsed before: these scanners only look for where things are.

use std::ops::Range;

/// A member of an object: its name, where its name starts, where its value is.
struct Member {
    name: String,
    start: usize,
    value: Range<usize>,
}

/// The document with `document[outer][inner] = value`; `value` is JSON. `None` if the document is not an
/// object, or what is at `outer` is not one.
pub(super) fn set(document: &str, outer: &str, inner: &str, value: &str) -> Option<String> {
    let name = |name: &str| serde_json::Value::from(name).to_string();
    if document.trim().is_empty() {
        return Some(format!(
            "{{\n\t{}: {{\n\t\t{}: {}\n\t}}\n}}\n",
            name(outer),
            name(inner),
            indented(value, "\n\t\t")
        ));
    }
    let top = document.find('{')?;
    let fields = members(document, top)?;
    let Some(found) = last(&fields, outer) else {
        let lead = lead(document, top, &fields).unwrap_or("\n\t");
        let deeper = format!("{lead}{}", unit(lead, 1));
        let entries = format!("{{{deeper}{}: {}{lead}}}", name(inner), indented(value, &deeper));
        return Some(insert(
            document,
            top,
            &fields,
            &format!("{lead}{}: {entries}", name(outer)),
            "",
        ));
    };
    if document.get(found.value.clone())? == "null" {
        return Some(replaced(document, &found.value, &format!("{{{}: {value}}}", name(inner))));
    }
    let object = found.value.start;
    let entries = members(document, object)?;
    if let Some(entry) = last(&entries, inner) {
        let before = &document[..entry.start];
        // The indentation, if the entry starts its line.
        let line = before.rfind('\n').map(|line| &before[line..]);
        let line = line.filter(|line| line.trim_ascii().is_empty()).unwrap_or("");
        return Some(replaced(document, &entry.value, &indented(value, line)));
    }
    let lead = lead(document, object, &entries).unwrap_or("\n\t\t");
    let entry = format!("{lead}{}: {}", name(inner), indented(value, lead));
    Some(insert(document, object, &entries, &entry, shorter(lead)))
}

/// The document without `document[outer][inner]`.
pub(super) fn remove(document: &str, outer: &str, inner: &str) -> Option<String> {
    let top = document.find('{')?;
    let fields = members(document, top)?;
    let Some(found) = last(&fields, outer) else { return Some(document.to_owned()) };
    let mut document = document.to_owned();
    // A name that is there twice would come back.
    loop {
        let members = members(&document, found.value.start)?;
        let Some(index) = members.iter().rposition(|member| member.name == inner) else {
            return Some(document);
        };
        let member = &members[index];
        let gap = match (index.checked_sub(1), members.get(index + 1)) {
            (_, Some(next)) => member.start..next.start,
            (Some(previous), None) => members[previous].value.end..member.value.end,
            (None, None) => {
                let end = skip_space(document.as_bytes(), member.value.end);
                found.value.start + 1..end
            }
        };
        document.replace_range(gap, "");
    }
}

fn replaced(document: &str, range: &Range<usize>, by: &str) -> String {
    format!("{}{by}{}", &document[..range.start], &document[range.end..])
}

/// Adds a member at the end of an object; `close` goes before the brace of one that was empty.
fn insert(document: &str, object: usize, members: &[Member], member: &str, close: &str) -> String {
    if let Some(last) = members.last() {
        return replaced(document, &(last.value.end..last.value.end), &format!(",{member}"));
    }
    let end = skip_space(document.as_bytes(), object + 1);
    let close = if close.is_empty() { "\n" } else { close };
    replaced(document, &(object + 1..end), &format!("{member}{close}"))
}

/// What stands between the brace and the first name: the line break and indentation of an object's members.
fn lead<'a>(document: &'a str, object: usize, members: &[Member]) -> Option<&'a str> {
    members.first().map(|first| &document[object + 1..first.start])
}

/// One step of indentation, where `lead` has `depth` of them.
fn unit(lead: &str, depth: usize) -> &str {
    let indentation = lead.rsplit_once('\n').map_or("", |(_, indentation)| indentation);
    indentation.get(..indentation.len() / depth.max(1)).unwrap_or("")
}

/// One step of indentation less.
fn shorter(lead: &str) -> &str {
    &lead[..lead.len() - unit(lead, 2).len()]
}

/// `value`, which is in one line, spread out as an object whose line starts with `lead`.
fn indented(value: &str, lead: &str) -> String {
    let Some(members) =
        members(value, 0).filter(|members| !members.is_empty() && lead.contains('\n'))
    else {
        return value.to_owned();
    };
    let lines: Vec<String> = members
        .iter()
        .map(|member| {
            let name = serde_json::Value::from(member.name.as_str());
            format!("{lead}{}{name}: {}", unit(lead, 2), &value[member.value.clone()])
        })
        .collect();
    format!("{{{}{lead}}}", lines.join(","))
}

/// The last member of that name, which is the one that counts.
fn last<'a>(members: &'a [Member], name: &str) -> Option<&'a Member> {
    members.iter().rev().find(|member| member.name == name)
}

fn members(document: &str, object: usize) -> Option<Vec<Member>> {
    let bytes = document.as_bytes();
    let mut members = Vec::new();
    if bytes.get(object) != Some(&b'{') {
        return None;
    }
    let mut at = skip_space(bytes, object + 1);
    while *bytes.get(at)? != b'}' {
        let start = at;
        at = skip_string(bytes, at)?;
        let name = serde_json::from_str(document.get(start..at)?).ok()?;
        at = skip_space(bytes, at);
        at = skip_space(bytes, at + 1); // the colon
        let value = at..skip_value(bytes, at)?;
        at = skip_space(bytes, value.end);
        members.push(Member { name, start, value });
        if *bytes.get(at)? == b',' {
            at = skip_space(bytes, at + 1);
        }
    }
    Some(members)
}

fn skip_space(bytes: &[u8], at: usize) -> usize {
    let space = bytes.iter().skip(at).take_while(|b| b.is_ascii_whitespace()).count();
    at + space
}

/// From an opening quote to behind the closing one.
fn skip_string(bytes: &[u8], mut at: usize) -> Option<usize> {
    at += 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn skip_value(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0usize;
    loop {
        match bytes.get(at)? {
            b'"' => at = skip_string(bytes, at)?,
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                at += 1;
            }
            _ => {
                let stop =
                    |b: &u8| b"\"{}[],".contains(b) || (depth == 0 && b.is_ascii_whitespace());
                let rest = bytes.get(at..)?;
                let length = rest.iter().position(stop)?;
                at += length.max(usize::from(depth > 0));
                if length == 0 && depth == 0 {
                    return None;
                }
            }
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests;
