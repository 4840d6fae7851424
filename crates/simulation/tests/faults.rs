//! The test of the test: every rule that is broken on purpose is noticed.

use std::sync::atomic::{AtomicUsize, Ordering};

use offgate_simulation::{DeliberateFault, Telling, run};

/// Within how many seeds every fault must be noticed. The rarest, refusals that are dropped when the
/// table they overtook has arrived, shows about once in three hundred.
const SEEDS: u64 = 1_000;
/// How many at once.
const THREADS: usize = 2;

/// The first seed that notices, and what it says. Those that once found something are tried first.
fn noticed(fault: DeliberateFault) -> Option<(u64, String)> {
    let kept = include_str!("kept-seeds.txt").lines();
    let kept = kept.filter_map(|line| line.parse().ok());
    kept.chain(0..SEEDS).find_map(|seed| {
        let ran = run(seed, Some(fault), Telling::Silent);
        let words = ran.broken?;
        Some((seed, words.lines().next().unwrap_or_default().to_owned()))
    })
}

#[test]
fn every_fault_is_noticed() {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut missed = Vec::new();
        while let Some(fault) = DeliberateFault::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
            match noticed(*fault) {
                Some((_, words)) => println!("{fault:?}: {words}"),
                None => missed.push(*fault),
            }
        }
        missed
    };
    let missed: Vec<DeliberateFault> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_default())
            .collect()
    });
    assert_eq!(missed, [], "nobody notices these");
}
