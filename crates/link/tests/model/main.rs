//! The protocol between server and doors as a small model, looked at exhaustively: with every rule
//! in force all claims hold, and with any rule taken away a claim breaks.
//!
//! The model is written from the design, not from the code; it is what the code is held to. It says
//! *epoch*, *revision*, *tombstone*, *lease*, *acknowledgement*, *receipt* and means what the code
//! means by them. A network may lose, delay, repeat and reorder whatever was ever sent; agents crash
//! between any two steps; servers are restored, or copied without knowing it.
//!
//! **It is no proof.** It is bounded: one server or two copies of it, one or two agents, two people
//! and one card that changes hands, a handful of changes, crashes and units of time, and a number of
//! steps ([`scopes`] has the numbers). It is split into small models that contain only what their
//! claims need, so faults that need a restore *and* a failed sync are not looked for. Signatures and
//! hashes are taken to do what they promise. Not in it: a decision that is under way while the table
//! changes, torn files, several servers over one database beyond a node that lags, and the rule that
//! a restored server renews doors only for those they already admit.

mod agent;
mod faults;
mod model;
mod properties;
mod scopes;
mod server;
mod state;
mod story;

use std::collections::BTreeSet;
use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model as _};

use faults::{Expected, Fault};
use model::Protocol;
use properties::Claim;
use scopes::Scope;

/// What became of one look at a model.
struct Looked {
    /// How many different states were found.
    states: usize,
    /// How many steps the longest path has.
    depth: usize,
    /// The story of a claim that broke.
    broken: Option<(usize, String)>,
    /// Which properties were discovered: broken claims, reached situations.
    discovered: BTreeSet<&'static str>,
}

/// Looks at everything there is. One thread and one claim at a time find the shortest path.
fn look(model: &Protocol, claim: Option<Claim>) -> Looked {
    let wanted = claim.map(|claim| BTreeSet::from([claim.name()]));
    let checker = model
        .clone()
        .checker()
        .threads(1)
        .target_max_depth(model.limits.depth)
        .finish_when(wanted.map_or(HasDiscoveries::All, HasDiscoveries::AllOf))
        .spawn_bfs()
        .join();
    let broken = claim.and_then(|claim| {
        let path = checker.discovery(claim.name())?;
        Some((
            path.clone().into_actions().len(),
            story::tell(model, claim, &path),
        ))
    });
    Looked {
        states: checker.unique_state_count(),
        depth: checker.max_depth().saturating_sub(1),
        broken,
        discovered: checker.discoveries().into_keys().collect(),
    }
}

#[test]
fn with_every_rule_in_force_all_claims_hold() {
    let mut wrong = Vec::new();
    println!("{:>9} {:>5} {:>7}  model", "states", "steps", "seconds");
    for scope in Scope::ALL {
        let model = Protocol::complete(scope);
        let started = Instant::now();
        let looked = look(&model, None);
        println!(
            "{:>9} {:>5} {:>7.1}  {}",
            looked.states,
            looked.depth,
            started.elapsed().as_secs_f32(),
            scope.words()
        );
        for claim in scope.claims() {
            if looked.discovered.contains(claim.name()) {
                let story = look(&model.clone().only(&[*claim]), Some(*claim)).broken;
                let (_, story) = story.unwrap_or_default();
                wrong.push(format!("{}:\n{story}", scope.words()));
            }
        }
        for situation in scope.situations() {
            if !looked.discovered.contains(situation.name()) {
                wrong.push(format!(
                    "{}: never reached \"{}\"",
                    scope.words(),
                    situation.name()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_rule_taken_away_is_found() {
    let mut wrong = Vec::new();
    let mut stories = Vec::new();
    println!(
        "{:>9} {:>5} {:>7}  what goes wrong: what it breaks",
        "states", "steps", "seconds"
    );
    for (fault, scope, expected) in Fault::TABLE {
        let (claims, breaks) = match expected {
            Expected::Breaks(claims) => (claims, true),
            Expected::Holds(claims) => (claims, false),
        };
        for claim in claims {
            let model = Protocol::broken(scope, fault, &[*claim]);
            let started = Instant::now();
            let looked = look(&model, Some(*claim));
            let steps = looked
                .broken
                .as_ref()
                .map_or(looked.depth, |(steps, _)| *steps);
            println!(
                "{:>9} {steps:>5} {:>7.1}  {} ({}): {}{}",
                looked.states,
                started.elapsed().as_secs_f32(),
                fault.words(),
                scope.words(),
                claim.name(),
                if looked.broken.is_some() {
                    " - broken"
                } else {
                    " - holds"
                },
            );
            match looked.broken {
                Some((_, story)) if !breaks => wrong.push(format!(
                    "{} was expected to do no harm here:\n{story}",
                    fault.words()
                )),
                None if breaks => wrong.push(format!(
                    "{} was not found: \"{}\" held in all {} states",
                    fault.words(),
                    claim.name(),
                    looked.states
                )),
                Some((_, story)) => stories.push(format!("{}:\n{story}", fault.words())),
                None => {}
            }
        }
    }
    println!("\nThe shortest way to each:\n{}", stories.join("\n"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
