//! Writes a sample image to a directory: `cargo run -p registry-faults --example sample -- DIR [MIB]`.

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let Some(dir) = arguments.next().map(PathBuf::from) else {
        return Err(std::io::Error::other("usage: sample DIR [MIB]"));
    };
    let mib = arguments.next().and_then(|text| text.to_str()?.parse().ok()).unwrap_or(24);
    let image = registry_faults::sample::image(&dir, "v1", mib << 20)?;
    let index = registry_faults::sample::index(&dir, "multi", mib << 20)?;
    registry_faults::sample::artifact(&dir, "packages", &image.descriptor)?;
    #[allow(clippy::print_stdout, reason = "it is a program")]
    {
        println!(
            "v1     {} {} bytes stored, {} unpacked",
            image.digest(),
            image.stored,
            image.content
        );
        println!(
            "multi  {} {} bytes stored, {} unpacked",
            index.digest(),
            index.stored,
            index.content
        );
    }
    Ok(())
}
