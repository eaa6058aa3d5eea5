//! Plays what is stored for a target through its check. The tests `corpus.rs` of the crates include this file.

/// Checks every stored input of a target; there are more than ten.
pub fn replay(target: &str, check: fn(&[u8])) {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../xtask/fuzz/corpus");
    let files = std::fs::read_dir(format!("{corpus}/{target}")).expect("the stored corpus");
    let mut count = 0;
    for file in files {
        let path = file.expect("a file").path();
        println!("{}", path.display());
        check(&std::fs::read(path).expect("its bytes"));
        count += 1;
    }
    assert!(count > 10, "{count}");
}
