//! The files of a configuration: the one that is named, and `dunlin.d/*.toml` beside it in the order of
//! their names.

use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::settings::Mistake;

/// No configuration and no secret is larger.
const LARGEST_FILE: u64 = 1 << 20;

/// The folder beside the configuration.
const FOLDER: &str = "dunlin.d";

/// Reads the file at `path` and those that go on top of it. Those that cannot be read are all named.
pub(super) fn read_all(path: &Path) -> Result<Vec<(PathBuf, String)>, Vec<Mistake>> {
    let mistake = |file: &Path, error: io::Error, expected: &str| {
        let message = format!("cannot be read: {error}; expected {expected}");
        Mistake { file: file.to_owned(), line: None, key: String::new(), message }
    };
    let folder = path.with_file_name(FOLDER);
    let (mut texts, mut mistakes) = (Vec::new(), Vec::new());
    let more = names(&folder).unwrap_or_else(|error| {
        mistakes.push(mistake(&folder, error, "a folder of *.toml, or none"));
        Vec::new()
    });
    for file in std::iter::once(path.to_owned()).chain(more) {
        match read_small(&file) {
            Ok(text) => texts.push((file, text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let expected = format!(
                    "a configuration file: `dunlin config init --output {}` writes one",
                    file.display()
                );
                mistakes.push(mistake(&file, error, &expected));
            }
            Err(error) => mistakes.push(mistake(&file, error, "a configuration file")),
        }
    }
    if mistakes.is_empty() { Ok(texts) } else { Err(mistakes) }
}

/// The files of a folder that may be missing. What an editor keeps beside them (`.x.toml.swp`, `x.toml~`)
/// is none.
fn names(folder: &Path) -> io::Result<Vec<PathBuf>> {
    #[expect(clippy::disallowed_methods, reason = "the configuration is ours, not the watched machine's")]
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(".toml") && !name.starts_with('.') {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

#[expect(clippy::disallowed_methods, reason = "the configuration is ours, not a file of the watched machine")]
pub(super) fn read_small(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let length = std::fs::File::open(path)?.take(LARGEST_FILE.saturating_add(1)).read_to_string(&mut text)?;
    if length as u64 > LARGEST_FILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    Ok(text)
}

/// Whether every user of the machine can read a file.
#[expect(clippy::disallowed_methods, reason = "the configuration is ours, not a file of the watched machine")]
pub(super) fn is_open(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o004 != 0)
}

/// Whether there is a folder.
#[expect(clippy::disallowed_methods, reason = "only whether the root is there; nothing in it is opened")]
pub(super) fn is_folder(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|data| data.is_dir())
}
