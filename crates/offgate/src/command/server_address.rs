//! `offgate server-address`: where agents find the server, when it moves too.

use clap::{Args, Subcommand};
use offgate_core::command::Command;
use offgate_core::records::Records as _;
use offgate_core::server_address::{ServerAddress, ServerAddresses};

use crate::books::Books;
use crate::exit::Failure;
use crate::record::{List, Record};
use crate::settings::server_address;

/// What to do about it.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ServerAddressCommand {
    /// List the addresses that agents are told, in the order in which they try them
    List,
    /// Tell agents these addresses, in place of those before; without one, none
    Announce(Announce),
}

/// What is announced.
#[derive(Clone, Debug, Args)]
pub(crate) struct Announce {
    /// Host and port, or https://host:port; of a machine that is to take over too
    #[arg(value_name = "HOST:PORT")]
    addresses: Vec<String>,
}

pub(crate) fn run(books: &Books, command: &ServerAddressCommand) -> Result<(), Failure> {
    if let ServerAddressCommand::Announce(what) = command {
        let wrong = |error: &dyn std::fmt::Display| Failure::usage("HOST:PORT", error);
        let mut addresses = Vec::new();
        for text in &what.addresses {
            let text = server_address(text).map_err(|error| wrong(&error))?;
            addresses.push(ServerAddress::parse(&text).map_err(|error| wrong(&error))?);
        }
        let addresses = ServerAddresses::new(addresses).map_err(|error| wrong(&error))?;
        books.carry_out(Command::AnnounceAddresses(addresses))?;
    }
    let addresses = books.reader().server_addresses()?;
    let row = |address: &ServerAddress| Record::default().with("address", address.as_str());
    List {
        columns: &["address"],
        rows: addresses.iter().map(row).collect(),
        next: None,
    }
    .show(books.format);
    Ok(())
}
