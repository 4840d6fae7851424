//! The page to keep outside: its words, for the command line and for the console's printer.
//!
//! Owns: what it says. Refuses to know: the passphrase, which is written onto it by hand, and how
//! a page is set.

use offgate_core::id::StoreId;

use crate::RootFingerprint;

/// The words of the page, a paragraph each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysPage {
    /// Which store it is for.
    pub store: StoreId,
    /// When it was printed, in words.
    pub printed: String,
    /// The root fingerprint, in lines that one can compare.
    pub fingerprint: Vec<String>,
}

impl KeysPage {
    /// What it is.
    pub const HEADING: &str = "Root fingerprint and passphrase";
    /// What the fingerprint is for.
    pub const FINGERPRINT: &str = "By it every door agent knows this server, and whoever is handed \
                                   a proof checks that it is this server's.";
    /// What is written on the line.
    pub const PASSPHRASE: &str = "As it was shown when it was made: 25 letters and digits.";
    /// How many groups of letters and digits it has; five of each.
    pub const GROUPS: usize = 5;
    /// What it is for.
    pub const PURPOSE: &str = "With it a backup is restored on another machine, and the server's \
                               keys are replaced when they may be in other hands. Nobody can find \
                               it out again.";
    /// What stands above the steps.
    pub const LOST: &str = "If the server is lost";
    /// What to do, in this order.
    pub const STEPS: [&str; 4] = [
        "Doors go on by what they last had, until their time of working alone is over. The way out \
         stays free.",
        "On another machine with Offgate, and the folder to which the backups were mirrored: \
         offgate --data DIR restore FOLDER. It asks for the passphrase above.",
        "Compare the root fingerprint it prints with the one above. If they differ, stop: it is the \
         backup of another store.",
        "Deactivate again whoever was deactivated after that backup, then: offgate --data DIR \
         serve. The doors find the server by the same address, or by one that was announced before.",
    ];
    /// Where the page belongs.
    pub const KEEPING: &str = "Keep this page in a safe place away from the server and from the \
                               backups. Whoever has both this page and a backup has everything.";

    /// The page for a store.
    #[must_use]
    pub fn of(store: StoreId, root: RootFingerprint, printed: String) -> Self {
        let root = root.to_string();
        let groups: Vec<&str> = root.split('-').collect();
        Self {
            store,
            printed,
            fingerprint: groups.chunks(4).map(|four| four.join("  ")).collect(),
        }
    }

    /// The page as lines of text, none of which the paper is too narrow for.
    #[must_use]
    pub fn text(&self) -> String {
        const WIDTH: usize = 84;
        let wrapped = |words: &str, indent: &str| {
            let mut lines = vec![String::new()];
            for word in words.split_whitespace() {
                let full = lines.last().is_some_and(|line| {
                    !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH
                });
                if full {
                    lines.push(String::new());
                }
                if let Some(line) = lines.last_mut() {
                    if !line.is_empty() {
                        line.push(' ');
                    }
                    line.push_str(word);
                }
            }
            lines.join(&format!("\n{indent}"))
        };
        let steps: Vec<String> = (1..)
            .zip(Self::STEPS)
            .map(|(number, step)| format!("{number}. {}", wrapped(step, "   ")))
            .collect();
        let line = ["_____"; Self::GROUPS].join(" - ");
        format!(
            "OFFGATE: {}\n\nStore          {}\nPrinted        {}\n\nRoot fingerprint\n\n    {}\n\n\
             {}\n\nPassphrase\n\n{}\n\n    {line}\n\n{}\n\n{}\n\n{}\n\n{}",
            Self::HEADING.to_uppercase(),
            self.store,
            self.printed,
            self.fingerprint.join("\n    "),
            wrapped(Self::FINGERPRINT, ""),
            Self::PASSPHRASE,
            wrapped(Self::PURPOSE, ""),
            Self::LOST,
            steps.join("\n"),
            wrapped(Self::KEEPING, ""),
        )
    }
}
