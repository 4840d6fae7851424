//! The keys of a store, as files in the data directory that only its owner may read.
//!
//! The server works with an issuing key, a link key, the log's key and a backup key. The root, by
//! which agents know the store, is kept only locked with a passphrase that its owner has on paper:
//! whoever takes the server's files cannot make a successor of the keys in them, and its owner can.

mod folder;
mod keyring;
mod mail_password;
mod older;
mod passphrase;
mod webhook_secret;

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use offgate_core::actor::Actor;
use offgate_core::agent::AgentKey;
use offgate_core::command::Command;
use offgate_core::id::{AgentId, CommandId};
use offgate_core::parameters::{Clock, Randomness, Timestamp};
use offgate_core::ruling::Seal;
use offgate_core::server_key::{KeyReplaced, ServerKey};
use offgate_link::chain::IssuingNumber;
use offgate_link::identity::{Authority, Identity, IdentityError};
use offgate_link::join_token::RootFingerprint;
use offgate_store::{Store, StoreError};

pub(crate) use folder::Folder;
use folder::Stamp;
use keyring::{Kept, KeptBackup, Keyring, Unnoted, Working};
pub use mail_password::MailPassword;
use passphrase::Locked;
pub use passphrase::{NotAPassphrase, NotUnwrapped, Passphrase};
pub use webhook_secret::WebhookSecret;

/// The keys could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A file could not be read or written.
    #[error("the file {0} cannot be used")]
    File(&'static str, #[source] std::io::Error),
    /// A file is not what it should be.
    #[error("the file {0} is damaged")]
    Damaged(&'static str),
    /// The certificates could not be made.
    #[error("the certificates cannot be made")]
    Certificates(#[from] IdentityError),
    /// The passphrase is another.
    #[error(transparent)]
    Passphrase(#[from] NotUnwrapped),
}

/// The file with all keys.
const KEYRING: &str = "keyring";

/// What is shown the once that it is shown.
#[derive(Clone, Copy, Debug)]
pub struct NewPassphrase<'a> {
    /// The passphrase. A secret.
    pub passphrase: &'a Passphrase,
    /// By what agents know the store, to keep beside it.
    pub root: RootFingerprint,
}

/// A key as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyShown {
    /// What it is called.
    pub name: &'static str,
    /// SHA-256 of its certificate, if it has one.
    pub fingerprint: Option<RootFingerprint>,
    /// Since when it is this one.
    pub made_at: Timestamp,
    /// What it does.
    pub purpose: &'static str,
}

/// The clock and the randomness with which keys are made.
#[derive(Clone, Copy)]
pub struct Making<'a> {
    /// The time of day.
    pub clock: &'a dyn Clock,
    /// Fit for keys.
    pub randomness: &'a dyn Randomness,
}

impl Making<'_> {
    fn seed(&self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.randomness.fill(&mut seed);
        seed
    }
}

/// The keys of a store, shared by whoever needs one.
pub struct Keys {
    folder: Folder,
    held: RwLock<Arc<Held>>,
}

/// What was last read.
pub(crate) struct Held {
    keyring: Keyring,
    working: Working,
    /// With which rulings are sealed. A secret.
    ruling_key: [u8; 32],
    stamp: Stamp,
}

impl Keys {
    /// Whether there are keys in a data directory.
    #[must_use]
    pub fn exist(data: &Path) -> bool {
        data.join(folder::FOLDER).join(KEYRING).exists()
    }

    /// Reads the keys in a data directory, or makes them when there are none. Whenever that takes
    /// a passphrase, `show` is called before anything is locked with it: it must reach its owner,
    /// and nobody else.
    ///
    /// # Errors
    /// The files cannot be read, written or understood.
    pub fn open(
        data: &Path,
        making: Making<'_>,
        show: &dyn Fn(NewPassphrase<'_>),
    ) -> Result<Self, KeysError> {
        Self::open_folder(Folder::open(data)?, making, show)
    }

    fn open_folder(
        folder: Folder,
        making: Making<'_>,
        show: &dyn Fn(NewPassphrase<'_>),
    ) -> Result<Self, KeysError> {
        let held = {
            let _lock = folder.lock()?;
            if folder.read(KEYRING)?.is_none() {
                let keyring = match older::read(&folder)? {
                    Some(older) => older.keyring(making, show)?,
                    None => first(making, show)?,
                };
                folder.write(KEYRING, &keyring.encode())?;
            }
            with_ruling_key(&folder, making)?;
            // Gone only now that the new file holds what they held.
            folder.remove(&older::FILES)?;
            Held::read(&folder)?
        };
        Ok(Self {
            folder,
            held: RwLock::new(Arc::new(held)),
        })
    }

    pub(crate) fn held(&self) -> Arc<Held> {
        Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn hold(&self, held: Held) {
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(held);
    }

    /// By what agents know this store.
    #[must_use]
    pub fn fingerprint(&self) -> RootFingerprint {
        RootFingerprint::of(&self.held().keyring.root)
    }

    /// The root's certificate, in DER.
    #[must_use]
    pub fn root(&self) -> Vec<u8> {
        self.held().keyring.root.to_vec()
    }

    /// Vouches for an agent's key with the issuing key.
    ///
    /// # Errors
    /// A certificate could not be made.
    pub fn vouch(&self, agent: AgentId, key: &AgentKey) -> Result<Vec<Vec<u8>>, IdentityError> {
        self.held().working.issuing.vouch(agent, key)
    }

    /// Does something with the link's key.
    pub(crate) fn with_link<T>(&self, what: impl FnOnce(&Identity) -> T) -> T {
        what(&self.held().working.link)
    }

    /// The seal of a ruling: its statement under this store's ruling key. That key is never
    /// replaced, so that a restored store knows again what it sealed before.
    #[must_use]
    pub fn seal(&self, statement: &[u8]) -> Seal {
        Seal::of(statement, &self.held().ruling_key)
    }

    /// The key with which backups are encrypted. A secret.
    #[must_use]
    pub fn backup_key(&self) -> [u8; 32] {
        *self.held().keyring.backup.key
    }

    /// The same, locked with the passphrase: what a backup carries in the clear, so that a bare
    /// machine and the passphrase are enough to read it with [`unwrap_backup_key`].
    #[must_use]
    pub fn wrapped_backup_key(&self) -> Vec<u8> {
        self.held().keyring.backup.wrapped.to_vec()
    }

    /// All keys, as they may be shown.
    #[must_use]
    pub fn list(&self) -> Vec<KeyShown> {
        let held = self.held();
        let keyring = &held.keyring;
        let of = |name, kept: &Kept, purpose| KeyShown {
            name,
            fingerprint: Some(RootFingerprint::of(&kept.certificate)),
            made_at: kept.made_at(),
            purpose,
        };
        vec![
            KeyShown {
                name: "root",
                fingerprint: Some(RootFingerprint::of(&keyring.root)),
                made_at: Timestamp::from_microseconds(keyring.root_made_at),
                purpose: "signs issuing keys; agents trust it and nothing else; locked with the \
                          passphrase",
            },
            of(
                ServerKey::Issuing.word(),
                &keyring.issuing,
                "signs the link key, the log key and each agent's key",
            ),
            of(
                ServerKey::Link.word(),
                &keyring.link,
                "with it the server speaks to agents",
            ),
            of(ServerKey::Log.word(), &keyring.log, "signs the log"),
            KeyShown {
                name: ServerKey::Backup.word(),
                fingerprint: None,
                made_at: Timestamp::from_microseconds(keyring.backup.made_at),
                purpose: "encrypts backups; a copy locked with the passphrase is in each",
            },
            KeyShown {
                name: ServerKey::Passphrase.word(),
                fingerprint: None,
                made_at: Timestamp::from_microseconds(keyring.passphrase_made_at),
                purpose: "locks the root key and the copies of the backup key; on paper only",
            },
        ]
    }

    /// Replaces the link's key.
    ///
    /// # Errors
    /// Here and below: the files cannot be used.
    pub fn rotate_link(&self, making: Making<'_>) -> Result<(), KeysError> {
        self.replace(|keyring, working| {
            let seed = making.seed();
            let link = working.issuing.link_key(&seed)?;
            keyring.link = Kept::new(seed, &link, making.clock.now());
            keyring.note(ServerKey::Link, Some(&link), making);
            Ok(())
        })
    }

    /// Replaces the log's key. What the old one signed stays signed.
    ///
    /// # Errors
    /// As for [`Self::rotate_link`].
    pub fn rotate_log(&self, making: Making<'_>) -> Result<(), KeysError> {
        self.replace(|keyring, working| {
            let seed = making.seed();
            let log = working.issuing.log_key(&seed)?;
            keyring.log = Kept::new(seed, &log, making.clock.now());
            keyring.note(ServerKey::Log, Some(&log), making);
            Ok(())
        })
    }

    /// Replaces the issuing key and all that the server holds beside it: link, log and backup key.
    /// For when the server's files may be in other hands, or come from a backup.
    ///
    /// # Errors
    /// As for [`Self::rotate_link`], or the passphrase is another.
    pub fn rotate_issuing(
        &self,
        passphrase: &Passphrase,
        making: Making<'_>,
    ) -> Result<(), KeysError> {
        self.replace(|keyring, _| {
            let root = passphrase::unwrap(passphrase, Locked::Root, &keyring.root_wrapped)?;
            let root = Identity::known(&root, vec![keyring.root.to_vec()])?;
            let now = making.clock.now();
            let number = keyring.next_number(now);
            let seeds = [making.seed(), making.seed(), making.seed()];
            let issuing = root.issuing_key(&seeds[0], number)?;
            let link = issuing.link_key(&seeds[1])?;
            let log = issuing.log_key(&seeds[2])?;
            keyring.number = number.0;
            keyring.issuing = Kept::new(seeds[0], &issuing, now);
            keyring.link = Kept::new(seeds[1], &link, now);
            keyring.log = Kept::new(seeds[2], &log, now);
            keyring.backup = backup(passphrase, making.seed(), making);
            keyring.note(ServerKey::Issuing, Some(&issuing), making);
            keyring.note(ServerKey::Link, Some(&link), making);
            keyring.note(ServerKey::Log, Some(&log), making);
            keyring.note(ServerKey::Backup, None, making);
            Ok(())
        })
    }

    /// Replaces the passphrase. Backups made before are still opened by the one before.
    ///
    /// # Errors
    /// As for [`Self::rotate_link`], or the passphrase is another.
    pub fn change_passphrase(
        &self,
        passphrase: &Passphrase,
        making: Making<'_>,
        show: &dyn Fn(NewPassphrase<'_>),
    ) -> Result<(), KeysError> {
        self.replace(|keyring, _| {
            let root = passphrase::unwrap(passphrase, Locked::Root, &keyring.root_wrapped)?;
            let passphrase = Passphrase::random(making.randomness);
            show(NewPassphrase {
                passphrase: &passphrase,
                root: RootFingerprint::of(&keyring.root),
            });
            let (locked, randomness) = (Locked::Root, making.randomness);
            keyring.root_wrapped = passphrase::wrap(&passphrase, locked, &root, randomness).into();
            let key = *keyring.backup.key;
            let made_at = keyring.backup.made_at;
            keyring.backup = KeptBackup {
                made_at,
                ..backup(&passphrase, key, making)
            };
            keyring.passphrase_made_at = making.clock.now().microseconds();
            keyring.note(ServerKey::Passphrase, None, making);
            Ok(())
        })
    }

    /// Has the log tell of every replacement that it does not tell of yet. Whatever interrupts it,
    /// each is told once.
    ///
    /// # Errors
    /// The store did not take it, or the files cannot be used.
    pub fn note(&self, store: &Store) -> Result<(), NoteError> {
        loop {
            let held = self.held();
            let Some(unnoted) = held.keyring.unnoted.first() else {
                return Ok(());
            };
            if let Some(replaced) = unnoted.replaced() {
                let command = Command::NoteKeyReplaced(replaced);
                store.execute_blocking(unnoted.command(), Actor::ServerCommandLine, command)?;
            }
            let noted = unnoted.command();
            self.replace(|keyring, _| {
                keyring.unnoted.retain(|other| other.command() != noted);
                Ok(())
            })?;
        }
    }

    /// Reads the keys again if another program replaced one.
    ///
    /// # Errors
    /// The files cannot be used; what was read before is still held.
    pub(crate) fn look_again(&self) -> Result<Looked, KeysError> {
        let before = self.held();
        if self.folder.stamp(KEYRING)? == before.stamp {
            return Ok(Looked::TheSame);
        }
        let held = Held::read(&self.folder)?;
        let link = before.keyring.link.certificate != held.keyring.link.certificate;
        self.hold(held);
        Ok(if link {
            Looked::AnotherLink
        } else {
            Looked::TheSame
        })
    }

    fn replace(
        &self,
        edit: impl FnOnce(&mut Keyring, &Working) -> Result<(), KeysError>,
    ) -> Result<(), KeysError> {
        let _lock = self.folder.lock()?;
        let Held {
            mut keyring,
            working,
            ..
        } = Held::read(&self.folder)?;
        edit(&mut keyring, &working)?;
        self.folder.write(KEYRING, &keyring.encode())?;
        self.hold(Held::read(&self.folder)?);
        Ok(())
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Keys(…)")
    }
}

/// What was found on looking again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Looked {
    /// The link's key is what it was.
    TheSame,
    /// It is another.
    AnotherLink,
}

/// A replacement of a key could not be noted in the log.
#[derive(Debug, thiserror::Error)]
pub enum NoteError {
    /// The keys could not be used.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Opens the copy of a backup key that a backup carries.
///
/// # Errors
/// The passphrase is another, or the bytes are no such copy.
pub fn unwrap_backup_key(
    passphrase: &Passphrase,
    wrapped: &[u8],
) -> Result<[u8; 32], NotUnwrapped> {
    passphrase::unwrap(passphrase, Locked::Backup, wrapped)
}

impl Held {
    /// The log's key.
    pub(crate) const fn log(&self) -> &Identity {
        &self.working.log
    }

    fn read(folder: &Folder) -> Result<Self, KeysError> {
        let stamp = folder.stamp(KEYRING)?;
        let damaged = KeysError::Damaged(KEYRING);
        let Some(bytes) = folder.read(KEYRING)? else {
            return Err(damaged);
        };
        let keyring = Keyring::decode(&bytes).ok_or(damaged)?;
        let ruling_key = keyring.ruling.ok_or(KeysError::Damaged(KEYRING))?;
        Ok(Self {
            working: keyring.working()?,
            ruling_key: *ruling_key,
            keyring,
            stamp,
        })
    }
}

impl Keyring {
    fn note(&mut self, key: ServerKey, identity: Option<&Identity>, making: Making<'_>) {
        let certificate = identity.and_then(|identity| identity.chain.first());
        let replaced = KeyReplaced {
            key,
            fingerprint: certificate.map(|certificate| RootFingerprint::of(certificate).0),
        };
        let command = CommandId::random(making.randomness);
        self.unnoted.push(Unnoted::new(command, replaced));
    }
}

/// Gives keys from before there were rulings a key to seal them with.
fn with_ruling_key(folder: &Folder, making: Making<'_>) -> Result<(), KeysError> {
    let bytes = folder.read(KEYRING)?.unwrap_or_default();
    let mut keyring = Keyring::decode(&bytes).ok_or(KeysError::Damaged(KEYRING))?;
    if keyring.ruling.is_none() {
        keyring.ruling = Some(making.seed().into());
        folder.write(KEYRING, &keyring.encode())?;
    }
    Ok(())
}

fn backup(passphrase: &Passphrase, key: [u8; 32], making: Making<'_>) -> KeptBackup {
    let wrapped = passphrase::wrap(passphrase, Locked::Backup, &key, making.randomness);
    KeptBackup {
        key: key.into(),
        wrapped: wrapped.into(),
        made_at: making.clock.now().microseconds(),
    }
}

/// The keys of a new store.
fn first(making: Making<'_>, show: &dyn Fn(NewPassphrase<'_>)) -> Result<Keyring, KeysError> {
    let seeds = [making.seed(), making.seed(), making.seed(), making.seed()];
    let now = making.clock.now();
    let number = keyring::first_number(now);
    let authority = Authority::create(seeds, number)?;
    locked(seeds, &authority, number, now, making, show)
}

/// Puts the root under a new passphrase.
fn locked(
    seeds: [[u8; 32]; 4],
    authority: &Authority,
    number: IssuingNumber,
    made_at: Timestamp,
    making: Making<'_>,
    show: &dyn Fn(NewPassphrase<'_>),
) -> Result<Keyring, KeysError> {
    let passphrase = Passphrase::random(making.randomness);
    show(NewPassphrase {
        passphrase: &passphrase,
        root: authority.fingerprint(),
    });
    let [root, issuing, link, log] = seeds;
    let root_wrapped = passphrase::wrap(&passphrase, Locked::Root, &root, making.randomness);
    let now = making.clock.now();
    let certificate = authority.root.chain.first().cloned().unwrap_or_default();
    Ok(Keyring {
        version: Keyring::VERSION,
        root: certificate.into(),
        root_made_at: made_at.microseconds(),
        root_wrapped: root_wrapped.into(),
        passphrase_made_at: now.microseconds(),
        number: number.0,
        issuing: Kept::new(issuing, &authority.issuing, made_at),
        link: Kept::new(link, &authority.link, made_at),
        log: Kept::new(log, &authority.log, now),
        backup: backup(&passphrase, making.seed(), making),
        unnoted: Vec::new(),
        ruling: Some(making.seed().into()),
    })
}

#[cfg(test)]
mod tests;
