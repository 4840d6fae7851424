//! The wrong backup is put back, and then the right one: the two are of one history up to where
//! somebody was reactivated, and doors confirm to the first what the second has never heard of.

use offgate_core::command::Command;
use offgate_core::id::{CommandId, UserId};
use offgate_core::parameters::Revision;
use offgate_core::user::{Standing, UserRecord};

use crate::story::About;
use crate::world::{Event, MILLI, SECOND, STORE, World};

/// What comes next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WrongBackup {
    /// Reactivate them; this backup was made before.
    Reactivate(Revision),
    /// Back that up.
    BackUp(Revision),
    /// Put the first back, although there is the second.
    PutWrongBack(Revision, Revision),
    /// Put the second back after all: doors have confirmed to the first.
    PutRightBack(Revision),
    /// Have them try their cards.
    Try,
}

impl World {
    /// Somebody was just deactivated: a backup is made, and the rest of it follows.
    pub(crate) fn wrong_backup_begins(&mut self, user: UserId) {
        if self.weather.restores > 0 || !self.nodes[STORE].up {
            return;
        }
        self.back_up();
        let made = self.nodes[STORE].books.memory().revision;
        let pause = self.random.between(1, 4) * SECOND;
        let next = WrongBackup::Reactivate(made);
        self.after(pause, Event::WrongBackup(user, next));
    }

    pub(crate) fn wrong_backup(&mut self, user: UserId, step: WrongBackup) {
        if self.weather.calm {
            return;
        }
        let (pause, next) = match step {
            WrongBackup::Reactivate(first) => {
                let memory = self.nodes[STORE].books.memory();
                let is_out = memory.users.get(&user).is_some_and(|record| match record {
                    UserRecord::Present(user) => {
                        matches!(user.standing, Standing::Deactivated { .. })
                    }
                    UserRecord::Removed(_) => false,
                });
                if !is_out {
                    return;
                }
                let id = CommandId::from_bytes(self.random.bytes());
                self.ask(id, Command::ReactivateUser { user });
                let pause = self.random.between(100, 2_000) * MILLI;
                (pause, WrongBackup::BackUp(first))
            }
            WrongBackup::BackUp(first) => {
                self.back_up();
                let second = self.nodes[STORE].books.memory().revision;
                let pause = self.random.between(1, 4) * SECOND;
                (pause, WrongBackup::PutWrongBack(first, second))
            }
            WrongBackup::PutWrongBack(first, second) => {
                if !self.put_back_that_of(first) {
                    return;
                }
                let pause = self.random.between(8, 25) * SECOND;
                (pause, WrongBackup::PutRightBack(second))
            }
            WrongBackup::PutRightBack(second) => {
                if !self.put_back_that_of(second) {
                    return;
                }
                self.counters.wrong_backups += 1;
                self.tell(About::user(user), || "that was the right one".to_owned());
                (self.random.between(1, 12) * SECOND, WrongBackup::Try)
            }
            WrongBackup::Try => return self.try_everywhere(user),
        };
        self.after(pause, Event::WrongBackup(user, next));
    }

    /// Puts the backup of this revision back, if it is still kept. Says whether that was done.
    fn put_back_that_of(&mut self, revision: Revision) -> bool {
        let backups = &self.nodes[STORE].backups;
        let which = backups
            .iter()
            .position(|(_, books)| books.memory().revision == revision);
        which.is_some_and(|which| self.put_back(which))
    }
}
