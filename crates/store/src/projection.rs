//! Keeps every agent's table in step with the records, in the transaction that changes them.

use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet};

use offgate_core::agent::{Agent, AgentState};
use offgate_core::change::Change;
use offgate_core::credential::CredentialState;
use offgate_core::id::{AgentId, UserId};
use offgate_core::parameters::{Epoch, Revision, Timestamp};
use offgate_core::ruling::{Ruled, Ruling, ruled_by};
use offgate_core::table::compile::{self, Person, Places, Scope, Touched};
use offgate_core::table::entry::{Entry, EntryKey, EntryKind, RulingEntry, TableHash};
use offgate_core::user::{Standing, UserRecord};

use crate::checkpoint::StoreSigner;
use crate::engine::{Confirms, Ledger, StoreIdentity, TableHead};
use crate::error::StoreError;

/// Compiles again what a change, which has been applied, touched, writes what came out different,
/// and notes which doors must confirm it.
pub(crate) fn project(
    batch: &mut dyn Ledger,
    change: &Change,
    revision: Revision,
    signer: &dyn StoreSigner,
    now: Timestamp,
) -> Result<(), StoreError> {
    if let Change::Restored(_) = change {
        return rule_again(batch, revision, signer);
    }
    let touched = compile::touched(batch, change)?;
    if touched.is_empty() {
        return Ok(());
    }
    let mut everywhere = BTreeSet::new();
    let mut furniture = BTreeSet::new();
    let mut whole = BTreeSet::new();
    for touched in touched {
        match touched {
            Touched::User(user) => {
                everywhere.insert(user);
            }
            Touched::MembersOf(group) => {
                let groups = compile::groups_below(batch, group)?;
                everywhere.extend(batch.people_with(&groups, &BTreeSet::new())?);
            }
            Touched::Furniture(agent) => {
                furniture.insert(agent);
            }
            Touched::Agent(agent) => {
                whole.insert(agent);
            }
        }
    }
    let confirms = due(batch, change)?;
    let identity = batch.identity();
    let ruling = ruling(change, identity.epoch, revision).map(|it| sealed(&it, identity, signer));
    let salt = identity.pin_salt;
    let places = batch.places()?;
    let mut people = People::default();
    let mut concerned: BTreeMap<AgentId, BTreeSet<EntryKey>> = BTreeMap::new();
    for agent in furniture.iter().chain(&whole) {
        concerned.entry(*agent).or_default();
    }
    for user in everywhere {
        for agent in agents_of(batch, &places, &mut people, user)? {
            let keys = concerned.entry(agent).or_default();
            keys.insert(EntryKey::user(user));
        }
    }
    // Whoever knew them, whoever is to know them, and whoever was told another ruling before.
    if let Some(ruling) = &ruling {
        let key = ruling.key();
        for keys in concerned.values_mut() {
            keys.insert(key);
        }
        for agent in batch.agents_with(key)? {
            concerned.entry(agent).or_default().insert(key);
        }
    }
    for (agent, mut keys) in concerned {
        let Some(agent) = &batch.agent(agent)? else {
            continue;
        };
        let all = whole.contains(&agent.id);
        let scope = places.scope(agent, salt);
        if all || furniture.contains(&agent.id) {
            keys.extend(scope.furniture_keys());
            let known = batch.entry_keys(agent.id)?;
            keys.extend(known.into_iter().filter(|key| match key.kind {
                EntryKind::User => all,
                // They outlive every other entry, but not the agent.
                EntryKind::Ruling => agent.state != AgentState::Enrolled,
                _ => true,
            }));
        }
        if all {
            keys.extend(reached(batch, &scope)?.into_iter().map(EntryKey::user));
        }
        let changed = write(
            (batch, &mut people),
            (agent, &scope),
            &keys,
            ruling.as_ref(),
            revision,
            signer,
        )?;
        if let Some((user, confirms)) = confirms
            && changed.contains(&EntryKey::user(user))
        {
            let doors: Vec<_> = scope.doors().map(|door| door.id).collect();
            for door in doors {
                batch.await_confirmation(user, revision, door, agent.id, confirms, now)?;
            }
        }
    }
    Ok(())
}

/// The person who was read last: most changes are about one, who may concern every agent.
#[derive(Default)]
struct People(Option<(UserId, Option<Person>)>);

impl People {
    fn read(&mut self, batch: &dyn Ledger, user: UserId) -> Result<Option<&Person>, StoreError> {
        let found = match self.0.take() {
            Some((last, person)) if last == user => person,
            _ => Person::read(batch, user)?,
        };
        let (_, person) = self.0.insert((user, found));
        Ok(person.as_ref())
    }
}

/// The agents a person concerns: those that know them, and those that have to from now on.
fn agents_of(
    batch: &dyn Ledger,
    places: &Places,
    people: &mut People,
    user: UserId,
) -> Result<BTreeSet<AgentId>, StoreError> {
    let mut agents = batch.agents_with(EntryKey::user(user))?;
    if let Some(person) = people.read(batch, user)? {
        for policy in person.policies() {
            agents.extend(places.agents_of(policy));
        }
    }
    Ok(agents)
}

/// Everybody whom one of an agent's policies reaches, directly or through groups.
fn reached(batch: &dyn Ledger, scope: &Scope) -> Result<BTreeSet<UserId>, StoreError> {
    let policies: BTreeSet<_> = scope.policies().collect();
    let mut groups = BTreeSet::new();
    for group in batch.groups()? {
        if !group.policies.is_disjoint(&policies) {
            groups.extend(compile::groups_below(batch, group.id)?);
        }
    }
    batch.people_with(&groups, &policies)
}

/// Writes those of the entries that are not as they were. Says which.
fn write(
    (batch, people): (&mut dyn Ledger, &mut People),
    (agent, scope): (&Agent, &Scope),
    keys: &BTreeSet<EntryKey>,
    ruling: Option<&Entry>,
    revision: Revision,
    signer: &dyn StoreSigner,
) -> Result<BTreeSet<EntryKey>, StoreError> {
    let mut writing = Writing::begin(batch, agent, revision)?;
    for key in keys {
        let after = match ruling.filter(|ruling| ruling.key() == *key) {
            Some(ruling) => Some(ruling.encode()),
            None => {
                let entry = match key.kind {
                    EntryKind::User => {
                        let person = people.read(writing.batch, UserId::from_bytes(key.id))?;
                        person.and_then(|person| person.entry(scope))
                    }
                    _ => compile::entry(writing.batch, scope, *key)?,
                };
                entry.map(|entry| entry.encode())
            }
        };
        if writing.put(*key, after)? == Known::Newly && key.kind == EntryKind::User {
            // It may hold a refusal from when it knew them last.
            for admission in writing.batch.admissions(UserId::from_bytes(key.id))? {
                let admission = sealed(&admission, writing.batch.identity(), signer);
                writing.put(admission.key(), Some(admission.encode()))?;
            }
        }
    }
    writing.end()
}

/// After a restore, every refusal that stands is ruled again, in the history that begins: at every
/// agent that knows the person, was told of it, or has to confirm it anew. Doors that confirm one from
/// now on show it to any store that does not know this history: another backup too, of a branch in
/// which somebody was admitted again before this one was put back.
fn rule_again(
    batch: &mut dyn Ledger,
    revision: Revision,
    signer: &dyn StoreSigner,
) -> Result<(), StoreError> {
    let identity = batch.identity();
    let mut of_people = BTreeMap::new();
    for agent in batch.agents()? {
        let (mut people, mut refused) = (batch.awaited(agent.id)?, BTreeMap::new());
        for key in batch.entry_keys(agent.id)? {
            match key.kind {
                EntryKind::User => {
                    people.insert(UserId::from_bytes(key.id));
                }
                EntryKind::Ruling => refused.extend(refusal_in(batch, agent.id, key)?),
                _ => {}
            }
        }
        for user in people {
            // The next agents know most of the same people.
            let of_person = match of_people.entry(user) {
                Slot::Occupied(known) => known.into_mut(),
                Slot::Vacant(unknown) => unknown.insert(refusals(batch, user)?),
            };
            refused.extend(of_person.iter().copied());
        }
        let mut writing = Writing::begin(batch, &agent, revision)?;
        for (subject, ruled) in refused {
            let ruling = Ruling {
                subject,
                ruled,
                epoch: identity.epoch,
                revision,
            };
            let entry = sealed(&ruling, identity, signer);
            writing.put(entry.key(), Some(entry.encode()))?;
        }
        writing.end()?;
    }
    Ok(())
}

/// What is refused of a person: they themselves, and cards that are lost.
fn refusals(batch: &dyn Ledger, user: UserId) -> Result<Vec<([u8; 16], Ruled)>, StoreError> {
    let person = match batch.user(user)? {
        Some(UserRecord::Present(person)) => person,
        Some(UserRecord::Removed(_)) => return Ok(vec![(*user.as_bytes(), Ruled::Removed)]),
        None => return Ok(Vec::new()),
    };
    let deactivated = match person.standing {
        Standing::Deactivated(_) => Some((*user.as_bytes(), Ruled::Deactivated)),
        Standing::Active => None,
    };
    let credentials = batch.credentials_of(user)?;
    let lost = credentials.iter().filter_map(|it| match it.state {
        CredentialState::Lost { .. } => Some((*it.id.as_bytes(), Ruled::Lost)),
        CredentialState::Usable => None,
    });
    Ok(deactivated.into_iter().chain(lost).collect())
}

/// The refusal that an agent was told with this entry, if it is one: of somebody who may not be on
/// record any more.
fn refusal_in(
    batch: &dyn Ledger,
    agent: AgentId,
    key: EntryKey,
) -> Result<Option<([u8; 16], Ruled)>, StoreError> {
    let Some(encoded) = batch.entry(agent, key)? else {
        return Ok(None);
    };
    match Entry::decode(&encoded) {
        Ok(Entry::Ruling(entry)) => Ok(entry
            .ruling()
            .filter(|ruling| ruling.ruled.refuses())
            .map(|ruling| (ruling.subject, ruling.ruled))),
        Ok(_) | Err(_) => Err(StoreError::Damaged("a ruling that is none")),
    }
}

/// An agent's table while a change is written into it.
struct Writing<'b> {
    batch: &'b mut dyn Ledger,
    agent: &'b Agent,
    revision: Revision,
    hash: TableHash,
    changed: BTreeSet<EntryKey>,
}

/// Whether the table has come to have an entry that it did not have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Newly,
    AsBefore,
}

impl<'b> Writing<'b> {
    fn begin(
        batch: &'b mut dyn Ledger,
        agent: &'b Agent,
        revision: Revision,
    ) -> Result<Self, StoreError> {
        let head = batch.table_head(agent.id)?;
        Ok(Self {
            batch,
            agent,
            revision,
            hash: head.map_or(TableHash::EMPTY, |head| head.hash),
            changed: BTreeSet::new(),
        })
    }

    /// Says which entries are not as they were.
    fn end(self) -> Result<BTreeSet<EntryKey>, StoreError> {
        let Self {
            batch,
            agent,
            revision,
            hash,
            changed,
        } = self;
        if !changed.is_empty() {
            batch.write_table_head(agent.id, TableHead { revision, hash })?;
        }
        Ok(changed)
    }

    fn put(&mut self, key: EntryKey, after: Option<Vec<u8>>) -> Result<Known, StoreError> {
        let before = self.batch.entry(self.agent.id, key)?;
        if before == after {
            return Ok(Known::AsBefore);
        }
        if let Some(before) = &before {
            self.hash = self.hash.without(&self.agent.hash_key, before);
        }
        if let Some(after) = &after {
            self.hash = self.hash.with(&self.agent.hash_key, after);
        }
        self.batch
            .write_entry(self.agent.id, key, self.revision, after.as_deref())?;
        self.changed.insert(key);
        Ok(match before {
            None => Known::Newly,
            Some(_) => Known::AsBefore,
        })
    }
}

/// What the change rules.
fn ruling(change: &Change, epoch: Epoch, revision: Revision) -> Option<Ruling> {
    let (_, subject, ruled) = ruled_by(change)?;
    Some(Ruling {
        subject,
        ruled,
        epoch,
        revision,
    })
}

/// A ruling with the store's seal, as doors keep it.
fn sealed(ruling: &Ruling, identity: StoreIdentity, signer: &dyn StoreSigner) -> Entry {
    let seal = signer.seal(&ruling.statement(identity.store));
    Entry::Ruling(RulingEntry::new(ruling, seal))
}

/// What doors must confirm. Nobody deactivated is admitted by anything but being reactivated, so a
/// card of theirs that is found changes nothing that a door could confirm.
fn due(batch: &dyn Ledger, change: &Change) -> Result<Option<(UserId, Confirms)>, StoreError> {
    let Some((user, Confirms::Admit)) = confirms(change) else {
        return Ok(confirms(change));
    };
    Ok(match batch.user(user)? {
        Some(UserRecord::Present(person)) if person.standing == Standing::Active => {
            Some((user, Confirms::Admit))
        }
        _ => None,
    })
}

/// Whether the doors that know this person must confirm the change, and what.
const fn confirms(change: &Change) -> Option<(UserId, Confirms)> {
    match change {
        Change::UserDeactivated { user, .. } | Change::CredentialLost { user, .. } => {
            Some((*user, Confirms::Refuse))
        }
        Change::UserRemoved { tombstone, .. } => Some((tombstone.id, Confirms::Refuse)),
        Change::CredentialRemoved { credential, .. } => Some((credential.user, Confirms::Refuse)),
        Change::UserReactivated { user, .. } | Change::CredentialFound { user, .. } => {
            Some((*user, Confirms::Admit))
        }
        _ => None,
    }
}
