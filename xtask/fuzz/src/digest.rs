//! Digests: only the two exact shapes, and those survive every way through.

use registry_name::{Algorithm, Digest, Identifier, Reference};

/// Checks what every text has to keep to.
///
/// # Panics
///
/// Where a rule is broken.
pub fn check(data: &[u8]) {
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let length = algorithm.hex_len() / 2;
        assert_eq!(Digest::from_bytes(algorithm, data).is_some(), data.len() == length);
        if let Some(digest) = data.get(..length).and_then(|d| Digest::from_bytes(algorithm, d)) {
            accepted(&digest, digest.as_str());
        }
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    match text.parse::<Digest>() {
        Ok(digest) => accepted(&digest, text),
        Err(error) => {
            assert!(error.offset() <= text.len() && error.input().is_char_boundary(error.offset()));
            assert_eq!(error.caret().lines().count(), 2);
            assert!(!error.to_string().contains(char::is_control), "{error}");
            // What is no digest does not become one behind a name either.
            assert!(format!("test.io/a@{text}").parse::<Reference>().is_err());
            if let Ok(Identifier::Digest(digest)) = text.parse() {
                panic!("{text:?} is {digest}");
            }
        }
    }
}

fn accepted(digest: &Digest, text: &str) {
    assert_eq!(digest.as_str(), text);
    assert_eq!(digest.to_string(), text);
    let algorithm = digest.algorithm();
    assert_eq!(text, format!("{algorithm}:{}", digest.hex()));
    assert_eq!(algorithm.as_str().parse(), Ok(algorithm));
    assert_eq!(digest.hex().len(), algorithm.hex_len());
    assert!(digest.hex().bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
    assert_eq!(text.parse().as_ref(), Ok(digest));
    assert_eq!(text.parse(), Ok(Identifier::Digest(digest.clone())));
    let reference: Reference = format!("test.io/a:tag@{text}").parse().expect("a reference");
    assert_eq!(reference.digest(), Some(digest));

    let hash: Vec<u8> = (0..digest.hex().len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digest.hex()[at..at + 2], 16).expect("hexadecimal digits"))
        .collect();
    assert_eq!(Digest::from_bytes(algorithm, &hash).as_ref(), Some(digest));
}
