//! One blob as a file of the caller's, at its final path only once it is whole and right.

use std::{fs, io, path::Path, sync::Arc};

use super::{
    blocking,
    draft::{Draft, parent, sweep},
    partial::{Claim, LOOK, claim},
    pour::pour_into,
    read::{self, Found},
};
use crate::{Descriptor, Error, Source, Stored, Verifier};

/// Saves a blob of `source` at `path`, in place of what is there, unless that is it.
pub(crate) async fn save(
    source: &Arc<dyn Source>,
    blob: &Descriptor,
    path: &Path,
) -> Result<Stored, Error> {
    let Some(draft) = draft_of(blob, path).await? else { return Ok(Stored::Present) };
    if let Err(error) = pour_into(source, blob, &draft).await {
        draft.leave(&error);
        return Err(error);
    }
    let size = blob.size;
    blocking(move || draft.publish_sized(size)).await?;
    Ok(Stored::Written)
}

/// Where the blob is put together; `None` once it is at its path. While another process is at it,
/// this waits for that one, unless nothing comes of it.
async fn draft_of(blob: &Descriptor, path: &Path) -> Result<Option<Draft>, Error> {
    let directory = parent(path).to_owned();
    blocking(move || {
        sweep(&directory);
        Ok(())
    })
    .await?;
    loop {
        let (wanted, path) = (blob.clone(), path.to_owned());
        let claimed = blocking(move || {
            if fs::symlink_metadata(&path).is_ok_and(|there| there.is_dir()) {
                return Err(Error::local("replace", &path)(io::ErrorKind::IsADirectory.into()));
            }
            claim(&path, &wanted, || is_saved(&wanted, &path))
        });
        match claimed.await? {
            Claim::Ours(draft) => return Ok(Some(draft)),
            Claim::Theirs => tokio::time::sleep(LOOK).await,
            Claim::Present => return Ok(None),
        }
    }
}

/// Whether the very bytes are there: the name of such a file says nothing of them.
fn is_saved(blob: &Descriptor, path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let Ok(Found::File(file)) = read::open_below(parent(path), &[name]) else { return false };
    let mut left = 0..file.metadata().map_or(0, |metadata| metadata.len());
    let mut verifier = Verifier::new(blob);
    while left.end == blob.size {
        match read::next_chunk(&file, &mut left) {
            Ok(Some(chunk)) if verifier.update(&chunk).is_ok() => {}
            Ok(None) => return verifier.finish().is_ok(),
            _ => return false,
        }
    }
    false
}
