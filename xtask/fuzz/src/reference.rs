//! References and their parts: parsing is total, what is accepted round-trips.

use registry_name::{Defaults, Identifier, ParseError, Reference, Registry, Repository, Tag};

/// Checks what every text has to keep to.
///
/// # Panics
///
/// Where a rule is broken.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for defaults in [Defaults::docker(), Defaults::strict()] {
        match Reference::parse(text, &defaults) {
            Ok(reference) => accepted(&reference),
            Err(error) => refused(text, &error),
        }
    }
    part::<Registry>(text);
    part::<Repository>(text);
    part::<Identifier>(text);
    part::<Tag>(text);
}

fn accepted(reference: &Reference) {
    let canonical = reference.to_string();
    assert_eq!(canonical.parse().as_ref(), Ok(reference));
    assert_eq!(Reference::parse(&canonical, &Defaults::strict()).as_ref(), Ok(reference));
    assert_eq!(reference.familiar().to_string().parse().as_ref(), Ok(reference));

    let repository = reference.repository();
    let registry = repository.registry();
    assert_eq!(Repository::new(&registry, repository.path()).as_ref(), Ok(repository));
    assert_eq!(repository.familiar().to_string().parse().as_ref(), Ok(repository));
    assert_eq!(registry.as_str(), repository.registry_str());
    assert_eq!(registry.as_str(), registry.as_str().to_lowercase());
    assert_ne!(registry.port(), Some(0));
    assert!(registry.as_str().starts_with(registry.host()));

    // It becomes part of a URL as it is.
    let path = repository.path();
    assert!(path.len() <= 255, "{path}");
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    for segment in path.split('/') {
        assert!(!segment.is_empty() && segment.bytes().all(plain), "{path}");
        assert!(segment.bytes().any(|b| b.is_ascii_alphanumeric()), "{path}");
    }
    if let Some(tag) = reference.tag() {
        assert!((1..=128).contains(&tag.as_str().len()));
        assert!(!tag.as_str().contains(['/', ':', '@', '%']));
    }
    let identifier = reference.identifier();
    assert_eq!(identifier.to_string().parse(), Ok(identifier.clone()));
    assert_eq!(identifier.digest(), reference.digest());
}

fn refused(text: &str, error: &ParseError) {
    let input = error.input();
    assert!(error.offset() <= input.len());
    assert!(input.is_char_boundary(error.offset()));
    assert_eq!(error.caret().lines().count(), 2, "{text:?}");
    let message = format!("{error}{}", error.hint().unwrap_or_default());
    assert!(!message.contains(char::is_control), "{message:?}");
    let caret = error.caret();
    assert!(!caret.contains(|c: char| c.is_control() && c != '\n'), "{caret:?}");
}

fn part<T>(text: &str)
where
    T: std::str::FromStr<Err = ParseError> + ToString + PartialEq + std::fmt::Debug,
{
    match text.parse::<T>() {
        Ok(value) => assert_eq!(value.to_string().parse().as_ref(), Ok(&value)),
        Err(error) => refused(text, &error),
    }
}
