//! What must never be seen, by somebody who watches the pages and the strikes.
//!
//! It remembers what pages have said of each door, hears every strike let go, and knows who holds
//! which card in their hand. It does not know any table, and asks no server and no agent.

use std::collections::{BTreeMap, BTreeSet};

use offgate_core::confirmation::DoorStanding;
use offgate_core::id::{CredentialId, DoorId, UserId};
use offgate_core::parameters::{Revision, Timestamp};
use offgate_core::table::admission::Holder;

use crate::story::About;

/// What went wrong.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    /// Which promise.
    pub(crate) promise: &'static str,
    pub(crate) about: About,
    pub(crate) words: String,
}

/// What pages have said of a refusal at a door.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    /// It was confirmed, and nothing has ended that since.
    confirmed: Option<Timestamp>,
    /// The earliest instant that was named for it to be over at the latest, and in which life of
    /// the store.
    over_at: Option<(Timestamp, u64)>,
    /// The instant that was named last, for which change and in which life of the store.
    named: Option<(Revision, u64, Instant)>,
    /// What was said last.
    last: Option<std::mem::Discriminant<DoorStanding>>,
}

/// An instant that a page names, by its own clock and by a true one.
#[derive(Clone, Copy, Debug)]
struct Instant {
    shown: Timestamp,
    true_time: Timestamp,
}

/// Who says what on a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    /// In which life the store is that says it.
    pub(crate) life: u64,
    /// How far its clock is ahead of a true one, in microseconds.
    pub(crate) ahead: i64,
}

impl Page {
    fn instant(self, shown: Timestamp) -> Instant {
        Instant {
            shown,
            true_time: Timestamp::from_microseconds(shown.microseconds() - self.ahead),
        }
    }
}

/// Somebody who remembers.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    /// By door, and the person or credential that is refused.
    said: BTreeMap<(DoorId, [u8; 16]), Said>,
    /// Who was ever given what is presented as this.
    given: BTreeMap<Vec<u8>, Vec<(CredentialId, UserId)>>,
    /// Who and what was ever refused by anybody who may.
    ruled: BTreeSet<[u8; 16]>,
}

impl Oracle {
    /// Somebody was given something to present.
    pub(crate) fn gave(&mut self, presented: Vec<u8>, credential: CredentialId, user: UserId) {
        let given = self.given.entry(presented).or_default();
        if !given.contains(&(credential, user)) {
            given.push((credential, user));
        }
    }

    /// A page speaks of a refusal at a door, by its own clock.
    ///
    /// Says whether that is another standing than before. An instant that was named and is named
    /// later, while nobody was restored, is a broken promise: later by the page's clock and by a
    /// true one, since a clock that is set moves one of them.
    pub(crate) fn page(
        &mut self,
        page: Page,
        (door, subject, refusal): (DoorId, [u8; 16], Revision),
        standing: DoorStanding,
    ) -> Result<bool, String> {
        let said = self.said.entry((door, subject)).or_default();
        let kind = std::mem::discriminant(&standing);
        let news = said.last.replace(kind) != Some(kind);
        match standing {
            DoorStanding::Confirmed { at } => {
                let at = page.instant(at).true_time;
                said.confirmed = said.confirmed.or(Some(at));
            }
            DoorStanding::EndedByLimit { at }
            | DoorStanding::MayStillOpen {
                until: Some(at), ..
            } => {
                let at = page.instant(at);
                let named = said.named.replace((refusal, page.life, at));
                if let Some((of, life, before)) = named
                    && (of, life) == (refusal, page.life)
                    && at.shown > before.shown
                    && at.true_time > before.true_time
                {
                    let late = at.true_time.since(before.true_time).as_secs_f64();
                    return Err(format!(
                        "the instant that was named is {late:.3} s later now"
                    ));
                }
                let at = at.true_time;
                if said.over_at.is_none_or(|(before, _)| at < before) {
                    said.over_at = Some((at, page.life));
                }
            }
            DoorStanding::Waiting
            | DoorStanding::Overdue
            | DoorStanding::Failed { .. }
            | DoorStanding::MayStillOpen { until: None, .. }
            | DoorStanding::OnEmergencyList { .. }
            | DoorStanding::KeepsLastTable { .. } => {}
        }
        Ok(news)
    }

    /// Somebody or something was refused, by a command of an operator or by what a door showed.
    pub(crate) fn refused(&mut self, subject: [u8; 16]) {
        self.ruled.insert(subject);
    }

    /// Whether that ever happened.
    pub(crate) fn was_refused(&self, subject: [u8; 16]) -> bool {
        self.ruled.contains(&subject)
    }

    /// The refusals that a page has said to be confirmed by a door, and that nothing has ended.
    pub(crate) fn confirmed(&self) -> impl Iterator<Item = (DoorId, [u8; 16])> {
        let said = self
            .said
            .iter()
            .filter(|(_, said)| said.confirmed.is_some());
        said.map(|(key, _)| *key)
    }

    /// Which credentials ever were presented as this.
    pub(crate) fn credentials(&self, presented: &[u8]) -> impl Iterator<Item = CredentialId> {
        let given = self.given.get(presented).into_iter().flatten();
        given.map(|(credential, _)| *credential)
    }

    /// Whether somebody was ever given this.
    pub(crate) fn holds(&self, presented: &[u8], user: UserId) -> bool {
        let given = self.given.get(presented).into_iter().flatten();
        given.into_iter().any(|(_, holder)| *holder == user)
    }

    /// Another machine decides at these doors. With the one before goes what only that one knew:
    /// refusals that the store was made to forget. What the store knows the new one will know.
    pub(crate) fn replaced(&mut self, doors: &[DoorId], forgotten: impl Fn([u8; 16]) -> bool) {
        self.said.retain(|(door, subject), said| {
            let here = doors.contains(door);
            if here {
                (said.over_at, said.named) = (None, None);
            }
            !(here && forgotten(*subject))
        });
    }

    /// Who was given this first.
    pub(crate) fn first_holder(&self, presented: &[u8]) -> Option<Holder> {
        let (credential, user) = *self.given.get(presented)?.first()?;
        Some(Holder { credential, user })
    }

    /// Somebody or something was explicitly admitted again.
    pub(crate) fn admitted(&mut self, subject: [u8; 16]) {
        self.said.retain(|(_, of), _| *of != subject);
    }

    /// A door renewed with a store of another life: a refusal by time limit stands until then.
    pub(crate) fn renewed(&mut self, door: DoorId, life: u64) {
        for ((at, _), said) in &mut self.said {
            if *at == door && said.over_at.is_some_and(|(_, of)| of != life) {
                said.over_at = None;
            }
        }
    }

    /// Whether pages have said that a door refuses somebody or something, by which promise, and in
    /// which words.
    fn refuses(
        &self,
        door: DoorId,
        subject: [u8; 16],
        now: Timestamp,
    ) -> Option<(&'static str, String)> {
        let said = self.said.get(&(door, subject))?;
        if let Some(at) = said.confirmed {
            let ago = now.since(at).as_secs_f64();
            return Some(("G1", format!("confirmed {ago:.3} s before")));
        }
        let (at, _) = said.over_at.filter(|(at, _)| *at <= now)?;
        let ago = now.since(at).as_secs_f64();
        let words = format!("said to be over {ago:.3} s before at the latest");
        Some(("G3", words))
    }

    /// A strike let go because somebody presented this; the door says for whom.
    pub(crate) fn opened(
        &self,
        door: DoorId,
        presented: &[u8],
        holder: Option<Holder>,
        now: Timestamp,
    ) -> Result<(), Violation> {
        let refused = |credential: &CredentialId, user: &UserId| {
            self.refuses(door, *user.as_bytes(), now)
                .or_else(|| self.refuses(door, *credential.as_bytes(), now))
        };
        let mut why = ("G1", "nobody was ever given it".to_owned());
        let mut whose = None;
        let may = self.given.get(presented).is_some_and(|given| {
            given.iter().any(|(credential, user)| {
                whose = Some(*user);
                match refused(credential, user) {
                    Some(reason) => {
                        // What the door says of its holder tells most.
                        if holder.is_none_or(|holder| holder.user == *user) {
                            why = reason;
                        }
                        false
                    }
                    None => true,
                }
            })
        });
        let about = |user: Option<UserId>| About {
            door: Some(door),
            user,
        };
        if !may {
            return Err(Violation {
                promise: why.0,
                about: about(holder.map(|it| it.user).or(whose)),
                words: format!("the door opened for what it refuses: {}", why.1),
            });
        }
        if let Some(Holder { credential, user }) = holder
            && let Some((_, reason)) = refused(&credential, &user)
        {
            return Err(Violation {
                promise: "G7",
                about: about(Some(user)),
                words: format!("the door says that it opened for somebody it refuses: {reason}"),
            });
        }
        Ok(())
    }
}
