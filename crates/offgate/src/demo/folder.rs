//! Where a demo keeps its data, and the mark by which everything else knows them: whoever has read
//! this program's source knows every PIN in there.

use std::fs::{DirBuilder, File};
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use offgate_core::parameters::Randomness;

use crate::exit::Failure;

/// The file that marks the data of a demo.
const MARK: &str = "offgate-demo";
/// The file that says that the organisation was made to its end.
const FOUNDED: &str = "founded";
/// The file with the password of the demo's owner. Its folder lets nobody else in.
const PASSWORD: &str = "owner-password";
const SERVER: &str = "server";
const AGENTS: &str = "agents";

/// What becomes of the data when the demo ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Afterwards {
    /// They stay where somebody wanted them.
    Kept,
    /// They go.
    Removed,
}

/// The data of a demo.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    afterwards: Afterwards,
}

impl Folder {
    /// Opens the directory that was named, which must be a demo's or empty, or makes one that goes
    /// when this value does.
    pub(super) fn open(named: Option<&Path>, randomness: &dyn Randomness) -> Result<Self, Failure> {
        let (path, afterwards) = match named {
            Some(path) => (path.to_owned(), Afterwards::Kept),
            None => {
                let mut random = [0; 8];
                randomness.fill(&mut random);
                let name = format!("offgate-demo-{}", HEXLOWER.encode(&random));
                (std::env::temp_dir().join(name), Afterwards::Removed)
            }
        };
        let failed = |error| Failure::unavailable(path.display(), error);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(failed)?;
        if !is_a_demo(&path).map_err(failed)? {
            if std::fs::read_dir(&path).map_err(failed)?.next().is_some() {
                return Err(Failure::usage(
                    "--data",
                    format!("{} is not a demo's; name a new directory", path.display()),
                ));
            }
            mark(&path, MARK).map_err(failed)?;
        }
        let path = path.canonicalize().map_err(failed)?;
        let folder = Self { path, afterwards };
        if !folder.is_founded()? {
            folder
                .begin_again()
                .map_err(|error| Failure::unavailable(folder.path.display(), error))?;
        }
        Ok(folder)
    }

    /// The server's data directory.
    pub(super) fn server(&self) -> PathBuf {
        self.path.join(SERVER)
    }

    /// The folder of an agent.
    pub(super) fn agent(&self, name: &str) -> PathBuf {
        let name: String = name
            .chars()
            .map(|letter| {
                if letter == ' ' {
                    '-'
                } else {
                    letter.to_ascii_lowercase()
                }
            })
            .collect();
        self.path.join(AGENTS).join(name)
    }

    /// Whether the organisation is there.
    pub(super) fn is_founded(&self) -> Result<bool, Failure> {
        self.server()
            .join(FOUNDED)
            .try_exists()
            .map_err(|error| Failure::unavailable(self.path.display(), error))
    }

    /// What the owner's password is, for pages that ask for it once more: made with the demo.
    pub(super) fn password(&self, randomness: &dyn Randomness) -> Result<String, Failure> {
        let path = self.server().join(PASSWORD);
        let failed = |error| Failure::unavailable(path.display(), error);
        match std::fs::read_to_string(&path) {
            Ok(password) => Ok(password),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let mut random = [0; 6];
                randomness.fill(&mut random);
                let password = HEXLOWER.encode(&random);
                std::fs::write(&path, &password).map_err(failed)?;
                Ok(password)
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Notes that it is.
    pub(super) fn note_founded(&self) -> Result<(), Failure> {
        mark(&self.server(), FOUNDED)
            .map_err(|error| Failure::unavailable(self.path.display(), error))
    }

    /// Takes away what a demo that was interrupted while it began has left.
    fn begin_again(&self) -> std::io::Result<()> {
        for part in [SERVER, AGENTS] {
            match std::fs::remove_dir_all(self.path.join(part)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        DirBuilder::new().mode(0o700).create(self.server())?;
        mark(&self.server(), MARK)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.afterwards == Afterwards::Removed
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            tracing::warn!(%error, "the demo's data could not be removed");
        }
    }
}

/// Whether a directory holds the data of a demo. Not being able to look is an error.
pub(crate) fn is_a_demo(data: &Path) -> std::io::Result<bool> {
    data.join(MARK).try_exists()
}

fn mark(folder: &Path, name: &str) -> std::io::Result<()> {
    let mut file = File::create(folder.join(name))?;
    file.write_all(b"This is a demo. Everybody knows its PINs.\n")?;
    file.sync_all()?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sevens;
    impl Randomness for Sevens {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    #[test]
    fn a_directory_with_something_else_in_it_is_refused_and_left_alone() {
        let real = tempfile::tempdir().expect("a folder");
        std::fs::write(real.path().join("offgate.db"), "people").expect("a file");
        let failure = Folder::open(Some(real.path()), &Sevens).expect_err("real");
        assert_eq!(failure.code(), 2);
        assert_eq!(std::fs::read_dir(real.path()).expect("entries").count(), 1);
        assert!(!is_a_demo(real.path()).expect("an answer"));
    }

    #[test]
    fn a_named_directory_is_kept_and_its_parts_are_marked() {
        let top = tempfile::tempdir().expect("a folder");
        let named = top.path().join("demo");
        let folder = Folder::open(Some(&named), &Sevens).expect("a demo");
        for part in [named.clone(), folder.server()] {
            assert!(is_a_demo(&part).expect("an answer"));
        }
        std::fs::write(folder.server().join("half"), "made").expect("a file");
        drop(folder);

        let folder = Folder::open(Some(&named), &Sevens).expect("the same demo");
        assert!(
            !folder.server().join("half").exists(),
            "what was half made is made again"
        );
        folder.note_founded().expect("a mark");
        std::fs::write(folder.server().join("whole"), "made").expect("a file");
        drop(folder);

        let folder = Folder::open(Some(&named), &Sevens).expect("the same demo");
        assert!(folder.is_founded().expect("an answer") && folder.server().join("whole").exists());
    }
}
