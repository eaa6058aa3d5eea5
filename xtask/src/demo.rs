//! The main job, end to end, on this machine alone.

use anyhow::Result;

pub(crate) fn run() -> Result<()> {
    anyhow::bail!("the command line is not there yet")
}
