//! Proofs that twelve doors refuse somebody, each with twelve receipts and as many answers: made from
//! the records and signed, then verified from the file alone.

use std::cell::Cell;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use offgate_core::id::UserId;
use offgate_core::operator::Role;
use offgate_core::parameters::Clock as _;
use offgate_link::proof::check;
use offgate_server::{ProofQuery, refusal_proof};

use super::agents::LightAgents;
use super::served::Served;
use super::site::{Agents, Plan, SiteStore};
use crate::harness::{Bound, Ratio, Report, Unit, nanoseconds_each, take_turns};

const DOORS: u16 = 12;
const PEOPLE: usize = 50;
const SLOT: Duration = Duration::from_millis(500);

const MADE: &str = "proofs made and signed";
const VERIFIED: &str = "proofs verified";
const SIZE: &str = "a proof's size";

pub(crate) fn run() -> anyhow::Result<Report> {
    let served = Served::start(SiteStore::new(Plan {
        doors: DOORS,
        people: PEOPLE,
        agents: Agents::Enrolled,
    })?)?;
    let agents = LightAgents::connect(&served, DOORS)?;
    for user in &served.site.people {
        let revision = served.site.deactivate(*user)?;
        served.confirmed(*user, revision, DOORS)?;
        served.answered(*user)?;
    }
    drop(agents);
    let site = &served.site;
    let make = |user: UserId| {
        let query = ProofQuery {
            user,
            credential: None,
            role: Role::Owner,
        };
        let (reader, identity) = (site.store.read(), site.store.identity());
        let (randomness, now) = (&*site.randomness, site.clock.now());
        anyhow::Ok(refusal_proof(&reader, identity, &site.keys, query, randomness, now)?.encode())
    };
    let proofs = site
        .people
        .iter()
        .map(|user| make(*user))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let root = Some(site.keys.fingerprint());
    for proof in &proofs {
        ensure!(check(proof, root)?.is_final(), "a door is not settled");
    }
    let (next, failed) = (Cell::new(0), Cell::new(0_u32));
    let place = || {
        next.set((next.get() + 1) % PEOPLE);
        next.get()
    };
    let measured = take_turns(vec![
        Box::new(|round| {
            let each = nanoseconds_each(SLOT, 1, || match make(site.people[place()]) {
                Ok(proof) => drop(std::hint::black_box(proof)),
                Err(_) => failed.set(failed.get() + 1),
            });
            round.record(MADE, Unit::PerSecond, 1e9 / each);
            let size = proofs.first().context("a proof")?.len();
            round.record(SIZE, Unit::Bytes, size as f64);
            Ok(())
        }),
        Box::new(|round| {
            let each = nanoseconds_each(SLOT, 1, || match check(&proofs[place()], root) {
                Ok(shown) => drop(std::hint::black_box(shown)),
                Err(_) => failed.set(failed.get() + 1),
            });
            round.record(VERIFIED, Unit::PerSecond, 1e9 / each);
            Ok(())
        }),
    ])?;
    ensure!(failed.get() == 0, "{} proofs failed", failed.get());
    Ok(Report {
        measured,
        ratios: vec![Ratio {
            what: "proofs verified beside proofs made",
            of: VERIFIED,
            beside: MADE,
            bound: Bound::Open,
        }],
    })
}
