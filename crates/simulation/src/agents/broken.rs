//! What broken agents do, of which the promises must take notice.

use offgate_agent::pieces::{Found, Judge, TableFiles, rebuild};
use offgate_core::id::CredentialId;
use offgate_core::table::Table;
use offgate_core::table::entry::{Entry, EntryKey, RulingEntry};
use offgate_link::agent_end::Testimony;
use offgate_link::frame;
use offgate_link::message::ToAgent;

use super::LOG_BYTES;
use crate::disk::Survivors;
use crate::faults::DeliberateFault;
use crate::world::World;

impl World {
    /// A broken agent: goes on with what is on disk.
    pub(super) fn falls_back(&mut self, a: usize) {
        let agent = &mut self.agents[a];
        let survivor = agent.folder.after_power_cut(Survivors::OnlySynced);
        let found = TableFiles::open_with(survivor, LOG_BYTES);
        let Ok((_, Found::Table(contents))) = found else {
            return;
        };
        let table = rebuild(&contents, contents.position.store, agent.hash_key);
        let mut judge = Judge::new(table, agent.surroundings());
        if let Some(heard) = agent.heard {
            judge.renewed(heard);
        }
        if let Some(process) = &mut agent.process {
            process.judge = judge;
        }
    }

    /// A broken agent: replaces its table and keeps only some of the refusals that it had.
    pub(super) fn replace_forgetting(
        &mut self,
        a: usize,
        mut table: Table,
        keeps: impl Fn(&Table, &RulingEntry) -> bool,
    ) -> Vec<RulingEntry> {
        let agent = &mut self.agents[a];
        let Some(process) = &mut agent.process else {
            return Vec::new();
        };
        let before = process.judge.refusals(Testimony::Everything);
        for refusal in before {
            if keeps(&table, &refusal) {
                table.hold(refusal);
            }
        }
        let mut judge = Judge::new(Some(table), agent.surroundings());
        if let Some(heard) = agent.heard {
            judge.renewed(heard);
        }
        let held = judge.refusals(Testimony::WhatIsHeld);
        if let Some(process) = &mut self.agents[a].process {
            process.judge = judge;
        }
        held
    }

    /// A broken agent: applies what arrives from a connection that is over.
    pub(super) fn hears_late(&mut self, a: usize, bytes: &[u8]) {
        let mut decoder = frame::Decoder::default();
        decoder.extend(bytes);
        let hash_key = self.agents[a].hash_key;
        while let Ok(Some(body)) = decoder.next_body() {
            let puts = match ToAgent::decode(&body) {
                Ok(ToAgent::Delta { puts, .. } | ToAgent::SnapshotPart { puts }) => puts,
                _ => continue,
            };
            let agent = &mut self.agents[a];
            let Some(process) = &mut agent.process else {
                return;
            };
            let mut table = match process.judge.table() {
                Some(table) => table.clone(),
                None => Table::empty(hash_key),
            };
            for put in &puts {
                if let Ok(entry) = Entry::decode(put) {
                    table.put(entry);
                }
            }
            let mut judge = Judge::new(Some(table), agent.surroundings());
            if let Some(heard) = agent.heard {
                judge.renewed(heard);
            }
            if let Some(process) = &mut self.agents[a].process {
                process.judge = judge;
            }
        }
    }

    /// What a broken agent makes of rulings about credentials.
    pub(super) fn learn_cards(&mut self, a: usize, rulings: &[RulingEntry]) {
        if !self.has(DeliberateFault::TombstoneByCard) {
            return;
        }
        for ruling in rulings.iter().filter_map(RulingEntry::ruling) {
            let credential = CredentialId::from_bytes(ruling.subject);
            if ruling.ruled.refuses() {
                self.agents[a].dead_cards.insert(credential);
            } else {
                self.agents[a].dead_cards.remove(&credential);
            }
        }
    }
}

pub(super) fn rulings_of(puts: &[Entry]) -> Vec<RulingEntry> {
    let rulings = puts.iter().filter_map(|entry| match entry {
        Entry::Ruling(ruling) => Some(ruling.clone()),
        _ => None,
    });
    rulings.collect()
}

/// Whether a table says at all that somebody is admitted.
pub(super) fn is_admitted(table: &Table, held: &RulingEntry) -> bool {
    let told = table.entry(&EntryKey::ruling(*held.subject));
    matches!(
        told.map(Entry::decode),
        Some(Ok(Entry::Ruling(told))) if told.ruling().is_some_and(|it| !it.ruled.refuses())
    )
}
