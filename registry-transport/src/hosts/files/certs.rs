//! `certs.d/HOST` of Docker and the containers tools: certificate authorities, and a client certificate.
//!
//! See "Verify repository client with certificates" in Docker's documentation, and containers-certs.d(5).

use std::path::{Path, PathBuf};

use super::broken::BrokenFile;
use super::setting::{Family, Note, Place, Setting, Statement};

/// What the names of the files in a directory mean.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Certificates {
    pub(super) statements: Vec<Statement>,
    pub(super) notes: Vec<Note>,
}

/// Sorts the paths in a directory: `*.crt` are authorities, `NAME.cert` and `NAME.key` a client certificate.
pub(super) fn sort(directory: &Path, paths: &[PathBuf]) -> Result<Certificates, BrokenFile> {
    let place = |file: &Path| Place {
        family: Family::CertsD,
        file: file.to_owned(),
        line: None,
        table: None,
    };
    let mut found = Certificates::default();
    let with = |extension: &str| {
        let fits = |path: &&PathBuf| path.extension().is_some_and(|found| found == extension);
        paths.iter().filter(fits).cloned().collect::<Vec<_>>()
    };
    let (authorities, certificates, keys) = (with("crt"), with("cert"), with("key"));
    for key in &keys {
        if !certificates.contains(&key.with_extension("cert")) {
            let what =
                "a key without its certificate, which is to have the same name and end in .cert";
            return Err(BrokenFile::new(key, None, what));
        }
    }
    for (n, certificate) in certificates.iter().enumerate() {
        let key = certificate.with_extension("key");
        if !keys.contains(&key) {
            let what = "a client certificate without its key, which is to have the same name and end in .key; \
                        a certificate authority ends in .crt";
            return Err(BrokenFile::new(certificate, None, what));
        }
        let place = place(certificate);
        if n == 0 {
            let setting = Setting::Client { certificate: certificate.clone(), key: Some(key) };
            found.statements.push(Statement { setting, place });
        } else {
            let why = "one certificate is shown, the first".to_owned();
            found.notes.push(Note { what: "client certificate".to_owned(), why, place });
        }
    }
    if !authorities.is_empty() {
        let place = place(directory);
        found.statements.push(Statement { setting: Setting::Ca(authorities), place });
    }
    for path in paths {
        let known =
            path.extension().is_some_and(|end| end == "crt" || end == "cert" || end == "key");
        if !known {
            let what = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let why = "neither .crt, .cert nor .key".to_owned();
            found.notes.push(Note { what, why, place: place(path) });
        }
    }
    Ok(found)
}
