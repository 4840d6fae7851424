//! The HTML of the pages, kept: a change of a template shows here as what it does to the page.
//!
//! `OFFGATE_WRITE_PAGES=1 cargo test -p offgate-server --test pages` writes them anew.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot be set up has failed"
)]

mod alerts;
mod answers;
mod doors;
mod every_page;
mod house;
mod kept;
mod organisation;
mod stolen;
