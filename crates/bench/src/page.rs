//! `docs/performance.md`: one section for each benchmark, replaced when it is measured again.

use std::fmt::Write as _;

use anyhow::Context as _;

use crate::benchmarks::Benchmark;
use crate::harness::{ROUNDS, Report, Spread, Unit, digits};
use crate::machine::workspace;

/// A benchmark's section as it is shown and kept.
pub(crate) fn section(benchmark: &Benchmark, report: &Report, machine: &str) -> String {
    let mut text = format!(
        "## {}: {}\n\n{machine}; {ROUNDS} rounds.\n",
        benchmark.name, benchmark.what
    );
    if !report.ratios.is_empty() {
        text.push_str(
            "\n| Ratio | Median (least – most) | Goal | Aim | |\n|---|---|---|---|---|\n",
        );
    }
    for ratio in &report.ratios {
        let Some(spread) = report.measured.ratio(ratio.of, ratio.beside) else {
            let _ = writeln!(text, "| {} | not measured | | | |", ratio.what);
            continue;
        };
        let (goal, aim, word) = ratio.bound.judge(spread.median);
        let _ = writeln!(
            text,
            "| {} | **{}** | {goal} | {aim} | {word} |",
            ratio.what,
            write(spread, digits)
        );
    }
    text.push_str("\n| Figure | Median (least – most) |\n|---|---|\n");
    for (name, unit, spread) in report.measured.figures() {
        let _ = writeln!(
            text,
            "| {name} | {} |",
            write(spread, |value| Unit::write(unit, value))
        );
    }
    text
}

fn write(spread: Spread, one: impl Fn(f64) -> String) -> String {
    let Spread {
        median,
        least,
        most,
    } = spread;
    format!("{} ({} – {})", one(median), one(least), one(most))
}

/// Puts a section into the page, in place of the one this benchmark had.
pub(crate) fn keep(name: &str, section: &str) -> anyhow::Result<()> {
    let path = workspace().join("docs/performance.md");
    let page = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let page = replaced(&page, name, section);
    std::fs::write(&path, page).with_context(|| path.display().to_string())
}

fn replaced(page: &str, name: &str, section: &str) -> String {
    let (begin, end) = (
        format!("<!-- measured: {name} -->"),
        format!("<!-- end: {name} -->"),
    );
    let marked = format!("{begin}\n{section}{end}");
    let old = page
        .split_once(&begin)
        .and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    match old {
        Some((before, after)) => format!("{before}{marked}{after}"),
        None => format!("{}\n\n{marked}\n", page.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_takes_the_place_of_its_last() {
        let page = replaced("# Page\n", "one", "first\n");
        let page = replaced(&page, "two", "other\n");
        assert_eq!(
            replaced(&page, "one", "second\n"),
            "# Page\n\n<!-- measured: one -->\nsecond\n<!-- end: one -->\n\n\
             <!-- measured: two -->\nother\n<!-- end: two -->\n"
        );
    }
}
