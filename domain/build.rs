//! Fingerprints the sources, for snapshots: see `SHAPE` in `src/lib.rs`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=src");
    let mut sources = Vec::new();
    collect(Path::new("src"), &mut sources)?;
    sources.sort();
    let mut digest = Sha256::new();
    for source in sources {
        digest.update(source.to_string_lossy().as_bytes());
        digest.update([0]);
        digest.update(fs::read(&source)?);
        digest.update([0]);
    }
    println!(
        "cargo::rustc-env=TALLYBOOK_DOMAIN_SHAPE={}",
        hex::encode(digest.finalize())
    );
    Ok(())
}

fn collect(directory: &Path, sources: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, sources)?;
        } else {
            sources.push(path);
        }
    }
    Ok(())
}
