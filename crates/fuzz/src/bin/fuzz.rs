//! The entry point of libFuzzer. `OFFGATE_FUZZ` names what is read; without it the names are
//! printed, one a line. `OFFGATE_FUZZ_SEEDS` is a folder that the seeds are put into.

#![no_main]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it talks to whoever started it"
)]

use std::path::PathBuf;
use std::process::exit;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use offgate_fuzz::{ALL, Target};

static TARGET: OnceLock<&'static Target> = OnceLock::new();

fn begin() {
    let Ok(name) = std::env::var("OFFGATE_FUZZ") else {
        for target in &ALL {
            println!("{}", target.name);
        }
        exit(0);
    };
    let Some(target) = ALL.iter().find(|target| target.name == name) else {
        eprintln!("there is no target {name}");
        exit(2);
    };
    let target = TARGET.get_or_init(|| target);
    if let Some(folder) = std::env::var_os("OFFGATE_FUZZ_SEEDS").map(PathBuf::from) {
        for (number, seed) in (target.seeds)().iter().enumerate() {
            if let Err(error) = std::fs::write(folder.join(format!("seed-{number}")), seed) {
                eprintln!("the seeds cannot be written: {error}");
                exit(2);
            }
        }
    }
}

fuzz_target!(init: begin(), |bytes: &[u8]| {
    if let Some(target) = TARGET.get() {
        (target.read)(bytes);
    }
});
