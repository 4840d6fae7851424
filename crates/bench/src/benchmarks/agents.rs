//! Agents without disks, as many as are wanted: the agent's own end of the link, over TLS, with a
//! table that changes are applied to; whatever is in memory counts as durable.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, bail};
use offgate_core::agent::HashKey;
use offgate_core::id::{StoreId, UserId};
use offgate_core::parameters::{Clock as _, Timestamp};
use offgate_core::question::{Answer, Question, Said};
use offgate_core::table::Table;
use offgate_core::table::admission::{ClockTrust, Decision, DoorState, admit_sought};
use offgate_core::table::entry::{Entry, RulingEntry};
use offgate_link::acknowledgement::SigningKey;
use offgate_link::agent_end::{AgentEnd, Changes, Held, Input, Output};
use offgate_link::chain::IssuingNumber;
use offgate_link::frame;
use offgate_link::identity::{Identity, client_config, server_name};
use offgate_link::join_token::RootFingerprint;
use offgate_link::message::{ToAgent, ToServer};
use offgate_link::question;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::served::{PATIENCE, Served, runtime};
use super::site::{Ticking, agent, agent_key, hash_key};

/// Agents that are connected and have their tables.
pub(crate) struct LightAgents {
    count: u16,
    watch: Arc<Watch>,
    _runtime: Runtime,
}

/// When agents heard of the person who is watched, and acknowledged what they had heard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reached {
    /// When the first of them had heard it.
    pub(crate) first_heard: Instant,
    /// When the last had sent its acknowledgement.
    pub(crate) last_sent: Instant,
}

#[derive(Default)]
struct Watched {
    /// Whose rulings count.
    subject: [u8; 16],
    /// How many have acknowledged one.
    acknowledged: u16,
    first_heard: Option<Instant>,
    last_sent: Option<Instant>,
    /// How many have a table and a lease.
    ready: u16,
    failed: Option<String>,
}

#[derive(Default)]
struct Watch {
    watched: Mutex<Watched>,
    changed: Condvar,
}

impl Watch {
    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this is about the person who is watched; notes the first who hears it.
    fn hears(&self, mut rulings: impl Iterator<Item = [u8; 16]>) -> bool {
        let mut watched = self.watched();
        let is_about = rulings.any(|subject| subject == watched.subject);
        if is_about {
            watched.first_heard.get_or_insert_with(Instant::now);
        }
        is_about
    }

    fn change(&self, change: impl FnOnce(&mut Watched)) {
        change(&mut self.watched());
        self.changed.notify_all();
    }

    fn wait<T>(&self, so: impl Fn(&Watched) -> Option<T>) -> anyhow::Result<T> {
        let begun = Instant::now();
        let mut watched = self.watched();
        loop {
            if let Some(failed) = &watched.failed {
                bail!("an agent: {failed}");
            }
            if let Some(found) = so(&watched) {
                return Ok(found);
            }
            let left = PATIENCE.saturating_sub(begun.elapsed());
            if left.is_zero() {
                bail!("{} agents acknowledged", watched.acknowledged);
            }
            (watched, _) = self
                .changed
                .wait_timeout(watched, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl LightAgents {
    /// Connects the agents of the first doors of a site, and waits until each has acknowledged its
    /// table and has its lease.
    pub(crate) fn connect(served: &Served, count: u16) -> anyhow::Result<Self> {
        let (runtime, watch) = (runtime()?, Arc::new(Watch::default()));
        let site = &served.site;
        for number in 0..count {
            let key = agent_key(number)?;
            let own = Identity {
                key: key.pkcs8().to_vec(),
                chain: site.keys.vouch(agent(number), &key.public())?,
            };
            let root = site.keys.fingerprint();
            let config = client_config(root, IssuingNumber(0), Some(&own))?;
            let this = Light {
                key,
                hash_key: hash_key(number),
                store: site.store.identity().store,
                root,
                clock: Arc::clone(&site.clock),
                connector: TlsConnector::from(Arc::new(config)),
                address: served.address()?,
                watch: Arc::clone(&watch),
            };
            let watch = Arc::clone(&watch);
            runtime.spawn(async move {
                if let Err(error) = this.live().await {
                    watch.change(|watched| watched.failed = Some(format!("{error:#}")));
                }
            });
        }
        watch.wait(|watched| (watched.ready == count).then_some(()))?;
        Ok(Self {
            count,
            watch,
            _runtime: runtime,
        })
    }

    /// From now on, what is ruled about this person counts.
    pub(crate) fn watch(&self, user: UserId) {
        let mut watched = self.watch.watched();
        watched.subject = *user.as_bytes();
        watched.acknowledged = 0;
        watched.first_heard = None;
        watched.last_sent = None;
    }

    /// Waits until all have acknowledged what they heard of the person.
    pub(crate) fn reached(&self) -> anyhow::Result<Reached> {
        self.watch.wait(|watched| {
            let all = watched.acknowledged == self.count;
            all.then_some(Reached {
                first_heard: watched.first_heard?,
                last_sent: watched.last_sent?,
            })
        })
    }
}

struct Light {
    key: SigningKey,
    hash_key: HashKey,
    store: StoreId,
    root: RootFingerprint,
    clock: Arc<Ticking>,
    connector: TlsConnector,
    address: SocketAddr,
    watch: Arc<Watch>,
}

/// What an agent has while it speaks.
struct Speaking {
    stream: TlsStream<TcpStream>,
    end: AgentEnd,
    table: Table,
    held: Option<Held>,
    overtaken: u64,
    begun: Instant,
    /// It has heard of the person who is watched, and not acknowledged it yet.
    owes: bool,
    has_table: bool,
    has_lease: bool,
    /// It was counted among those that have both.
    is_ready: bool,
}

impl Light {
    async fn live(self) -> anyhow::Result<()> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let begun = Instant::now();
        let mut speaking = Speaking {
            stream: self.connector.connect(server_name(), stream).await?,
            end: AgentEnd::new(
                self.store,
                self.root,
                None,
                None,
                "bench".to_owned(),
                begun.elapsed(),
            ),
            table: Table::empty(self.hash_key),
            held: None,
            overtaken: 0,
            begun,
            owes: false,
            has_table: false,
            has_lease: false,
            is_ready: false,
        };
        let mut decoder = frame::Decoder::default();
        let mut bytes = vec![0; 16 * 1024];
        let mut ticks = tokio::time::interval(std::time::Duration::from_secs(1));
        self.handle(&mut speaking, Input::Connected).await?;
        loop {
            tokio::select! {
                read = speaking.stream.read(&mut bytes) => {
                    let read = read?;
                    if read == 0 {
                        return Ok(());
                    }
                    decoder.extend(&bytes[..read]);
                    while let Some(body) = decoder.next_body()? {
                        let message = ToAgent::decode(&body)?;
                        self.handle(&mut speaking, Input::Message(message)).await?;
                    }
                }
                _ = ticks.tick() => self.handle(&mut speaking, Input::Tick).await?,
            }
        }
    }

    async fn handle(&self, speaking: &mut Speaking, input: Input) -> anyhow::Result<()> {
        let now = speaking.begun.elapsed();
        let mut left: VecDeque<Output> = speaking.end.handle(input, now).into();
        while let Some(output) = left.pop_front() {
            match output {
                Output::Send(message) => send(&mut speaking.stream, &message).await?,
                Output::Apply(changes) => left.extend(self.apply(speaking, changes)?),
                Output::Replace(changes) => {
                    speaking.table = Table::empty(self.hash_key);
                    left.extend(self.apply(speaking, changes)?);
                }
                Output::Hold(refusals) => {
                    speaking.owes |= self
                        .watch
                        .hears(refusals.iter().map(|it: &RulingEntry| *it.subject));
                    speaking.overtaken += refusals.len() as u64;
                    refusals.into_iter().for_each(|it| speaking.table.hold(it));
                    left.extend(durable(speaking));
                }
                Output::Acknowledge(acknowledgement) => {
                    let statement = acknowledgement.statement();
                    let signature = self.key.sign(&statement).into();
                    let statement = statement.into();
                    let message = ToServer::Acknowledge {
                        statement,
                        signature,
                    };
                    send(&mut speaking.stream, &message).await?;
                    if std::mem::take(&mut speaking.owes) {
                        self.watch.change(|watched| {
                            watched.acknowledged += 1;
                            watched.last_sent = Some(Instant::now());
                        });
                    }
                    speaking.has_table = true;
                    self.perhaps_ready(speaking);
                }
                Output::Answer { question, held } => {
                    let message = self.answer(speaking, question, held, self.clock.now());
                    send(&mut speaking.stream, &message).await?;
                }
                Output::LeaseFrom(_) => {
                    speaking.has_lease = true;
                    self.perhaps_ready(speaking);
                }
                Output::Close(ending) => bail!("it closes: {ending:?}"),
                Output::Witness(_)
                | Output::Testify(_)
                | Output::ServerTime(_)
                | Output::Doors(_)
                | Output::Addresses(_)
                | Output::EventsStored(_) => {}
            }
        }
        Ok(())
    }

    fn perhaps_ready(&self, speaking: &mut Speaking) {
        let ready = speaking.has_table && speaking.has_lease;
        if ready && !std::mem::replace(&mut speaking.is_ready, ready) {
            self.watch.change(|watched| watched.ready += 1);
        }
    }

    fn apply(&self, speaking: &mut Speaking, changes: Changes) -> anyhow::Result<Vec<Output>> {
        let Changes {
            deletes,
            puts,
            becomes,
        } = changes;
        let rulings = puts.iter().filter_map(|entry| match entry {
            Entry::Ruling(ruling) => Some(*ruling.subject),
            _ => None,
        });
        speaking.owes |= self.watch.hears(rulings);
        deletes
            .into_iter()
            .for_each(|key| speaking.table.delete(key));
        puts.into_iter().for_each(|entry| speaking.table.put(entry));
        if speaking.table.hash() != becomes.hash {
            bail!("the changes lead to another table");
        }
        speaking.held = Some(becomes);
        Ok(durable(speaking))
    }

    fn answer(
        &self,
        speaking: &Speaking,
        question: Question,
        held: Held,
        at: Timestamp,
    ) -> ToServer {
        let (table, state) = (&speaking.table, DoorState::ORDINARY);
        let Question {
            sought,
            door,
            direction,
            ..
        } = question;
        let said = match admit_sought(table, state, sought, door, direction, at) {
            Decision::Granted { holder, .. } => Said::Granted {
                holder: holder.credential,
            },
            Decision::WayOut(_) => Said::WayOut,
            Decision::Refused { reason, .. } => Said::Refused { reason },
        };
        let statement = question::statement(&Answer {
            store: held.store,
            epoch: held.epoch,
            revision: held.revision,
            hash: table.hash(),
            question: question::digest_of(&question),
            credential: question.credential,
            door,
            direction,
            said,
            at,
            clock: ClockTrust::Trusted,
        });
        let signature = self.key.sign(&statement).into();
        ToServer::Answer {
            statement: statement.into(),
            signature,
        }
    }
}

/// What is in memory is all there is.
fn durable(speaking: &mut Speaking) -> Vec<Output> {
    let (now, overtaken) = (speaking.begun.elapsed(), speaking.overtaken);
    match speaking.held {
        Some(held) => speaking.end.handle(Input::Durable { held, overtaken }, now),
        None => Vec::new(),
    }
}

async fn send(stream: &mut TlsStream<TcpStream>, message: &ToServer) -> anyhow::Result<()> {
    let frame = frame::encode(&message.encode()).context("a frame")?;
    stream.write_all(&frame).await?;
    stream.flush().await?;
    Ok(())
}
