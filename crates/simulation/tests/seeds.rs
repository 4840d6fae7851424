//! Every promise holds for every seed.

#![expect(
    clippy::panic,
    clippy::print_stdout,
    reason = "a promise that is broken fails the test, and how long it took is told"
)]

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use offgate_simulation::{Counters, Telling, run};

/// How many runs at once.
const THREADS: usize = 2;

/// Which seeds: so many from the first on, or from one up to before another, as `20000..40000`.
fn seeds() -> Range<u64> {
    let Ok(asked) = std::env::var("OFFGATE_SIMULATION_SEEDS") else {
        return 0..1_000;
    };
    let (first, end) = asked.split_once("..").unwrap_or(("0", &asked));
    match (first.parse(), end.parse()) {
        (Ok(first), Ok(end)) if first < end => first..end,
        _ => panic!("{asked:?} are no seeds"),
    }
}

/// Runs a seed again, and tells what happened.
fn fail(seed: u64) -> ! {
    let told = run(seed, None, Telling::Story);
    if std::env::var_os("OFFGATE_SIMULATION_WHOLE").is_some() {
        println!("{}", told.story);
    }
    panic!("{}", told.broken.unwrap_or_default());
}

#[test]
fn a_seed_is_the_same_run_every_time() {
    let [one, other] = [(); 2].map(|()| run(4_711, None, Telling::Story));
    assert!(one.story.len() > 100_000, "there is something to compare");
    assert!(one.story == other.story);
    assert_eq!(one.counters, other.counters);
}

#[test]
fn every_promise_holds_for_every_seed() {
    let Range { start, end } = seeds();
    for seed in include_str!("kept-seeds.txt").lines() {
        if let Ok(seed) = seed.parse()
            && run(seed, None, Telling::Silent).broken.is_some()
        {
            fail(seed);
        }
    }
    let (next, begun) = (AtomicU64::new(start), Instant::now());
    let work = || {
        let (mut counters, mut broken) = (Counters::default(), None);
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return (counters, broken);
            }
            let ran = run(seed, None, Telling::Silent);
            if ran.broken.is_some() {
                println!("seed {seed} breaks a promise");
                broken.get_or_insert(seed);
                continue;
            }
            counters.add(&ran.counters);
        }
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|it| it.join()).collect()
    });
    let mut counters = Counters::default();
    for result in results {
        match result {
            Ok((of, None)) => counters.add(&of),
            Ok((_, Some(seed))) => fail(seed),
            Err(_) => panic!("a run did not come to its end"),
        }
    }
    let (count, seconds) = (end - start, begun.elapsed().as_secs_f64());
    println!(
        "{count} seeds in {seconds:.1} s: {:.1} a second",
        count as f64 / seconds
    );
    for (name, how_often) in counters.all() {
        println!("{name:>24}: {how_often}");
        // Fewer seeds than every day are somebody looking for something.
        assert!(
            count < 1_000 || how_often >= 100,
            "{name} came up {how_often} times: nothing was tested there"
        );
    }
    let events = counters.events / count;
    assert!(count < 1_000 || events >= 2_000, "{events} events a seed");
}
