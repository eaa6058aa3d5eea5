//! The `Link` header (RFC 8288, section 3 and appendix B), as far as paging needs it.

use std::fmt;

/// The target of the first link whose relation is `next`, over all lines of a `Link` header: a URL reference, not resolved.
///
/// Registries leave the relation out, as the distribution specification's first examples did: a link without any `rel` is
/// the next page. A header that cannot be read is an error, and not the end of the list.
/// [`Response::next_link`](crate::Response::next_link) resolves and judges it too.
///
/// ```
/// use registry_transport::next_link;
///
/// let lines = [&br#"</v2/?n=1>; rel=prev, </v2/a/tags/list?last=b>; rel="next""#[..]];
/// assert_eq!(next_link(lines)?.as_deref(), Some("/v2/a/tags/list?last=b"));
/// # Ok::<(), registry_transport::LinkError>(())
/// ```
pub fn next_link<'a>(
    lines: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Option<String>, LinkError> {
    for line in lines {
        let line =
            std::str::from_utf8(line).map_err(|_| LinkError("the Link header is not text"))?;
        let mut rest = line.trim_start_matches([' ', '\t', ',']);
        while !rest.is_empty() {
            let (link, after) = link(rest).map_err(LinkError)?;
            if link.is_next {
                return Ok(Some(link.target.to_owned()));
            }
            rest = after.trim_start_matches([' ', '\t', ',']);
        }
    }
    Ok(None)
}

/// Why a `Link` header cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkError(&'static str);

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for LinkError {}

struct Link<'a> {
    target: &'a str,
    is_next: bool,
}

/// `"<" URI-Reference ">" *( OWS ";" OWS [ link-param ] )`, and what follows its comma.
fn link(text: &str) -> Result<(Link<'_>, &str), &'static str> {
    let inner = text.strip_prefix('<').ok_or("the Link header does not start with '<'")?;
    let (target, mut rest) = inner.split_once('>').ok_or("the Link header has no closing '>'")?;
    let target = target.trim();
    if target.is_empty() || target.chars().any(|c| c.is_control() || c == ' ') {
        return Err("the Link header's target is not a URL");
    }
    let mut relation = None;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() || rest.starts_with(',') {
            break;
        }
        rest = rest
            .strip_prefix(';')
            .ok_or("the Link header's parameters are malformed")?
            .trim_start();
        let (name, value, after) = parameter(rest)?;
        // RFC 8288, section 3.3: the first `rel` counts.
        if name.eq_ignore_ascii_case("rel") && relation.is_none() {
            relation = Some(value);
        }
        rest = after;
    }
    let is_next = relation.as_deref().is_none_or(|relation| {
        relation.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("next"))
    });
    Ok((Link { target, is_next }, rest))
}

/// `token [ BWS "=" BWS ( token / quoted-string ) ]`; an empty parameter is allowed.
fn parameter(text: &str) -> Result<(&str, String, &str), &'static str> {
    let end = text.find(['=', ';', ',']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let Some(rest) = rest.strip_prefix('=') else {
        return Ok((name.trim(), String::new(), rest));
    };
    let rest = rest.trim_start();
    let Some(quoted) = rest.strip_prefix('"') else {
        let end = rest.find([';', ',']).unwrap_or(rest.len());
        let (value, rest) = rest.split_at(end);
        return Ok((name.trim(), value.trim().to_owned(), rest));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((name.trim(), value, quoted.get(at + 1..).unwrap_or_default())),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    Err("the Link header has an unterminated quoted string")
}

#[cfg(test)]
mod tests;
