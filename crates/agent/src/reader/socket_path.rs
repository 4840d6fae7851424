//! Where the private socket is, for folders of any depth.
//!
//! A socket's address holds 107 bytes of path. A longer one is reached through the folder's own
//! handle: `/proc/self/fd/N/reader.socket` names the same file in some 30 bytes.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// The socket's name in the agent's folder.
pub(super) const NAME: &str = "reader.socket";
const LONGEST: usize = 100;

/// A path short enough to bind or connect to, as long as this lives.
pub(super) struct SocketPath {
    path: PathBuf,
    _folder: File,
}

impl SocketPath {
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let handle = File::open(folder)?;
        let direct = folder.join(NAME);
        let path = if direct.as_os_str().len() <= LONGEST {
            direct
        } else {
            Path::new("/proc/self/fd")
                .join(handle.as_raw_fd().to_string())
                .join(NAME)
        };
        Ok(Self {
            path,
            _folder: handle,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}
