//! What keeps an agent that is connected from confirming anything, and what to do about it.
//!
//! A door that has not confirmed in time is *overdue*, and nobody knows why. Where it is known why, it
//! has *failed*, and the reason is told with what mends it.

/// Why a connected agent cannot confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It says itself that its disk keeps nothing: what it was told it follows in memory, and a
    /// power cut would undo it.
    DiskFails,
    /// Its table is not the one that it should be, and the whole one that it was sent has not mended
    /// that.
    OtherTable,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::DiskFails, Self::OtherTable];

    /// What is wrong, after "its".
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::DiskFails => "disk fails",
            Self::OtherTable => "table is not the one that it should be",
        }
    }

    /// What is wrong and what to do about it, to stand after a colon.
    #[must_use]
    pub fn with_what_to_do(self) -> String {
        format!("its {}. {}", self.what(), self.what_to_do())
    }

    const fn what_to_do(self) -> &'static str {
        match self {
            Self::DiskFails => {
                "Make room on its agent's disk, or replace it; it confirms by itself once it can keep \
                 what it was told."
            }
            Self::OtherTable => {
                "Start its agent again; if that does not mend it, replace the disk."
            }
        }
    }
}
