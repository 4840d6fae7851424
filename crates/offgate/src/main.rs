//! The one binary of Offgate: command line, settings, wiring, and the demo.

mod agent;
mod arguments;
mod books;
mod command;
mod demo;
mod doctor;
mod exit;
mod logging;
mod moment;
mod one_time_link;
mod present;
mod record;
mod restore;
mod serve;
mod settings;
mod stop;
mod store_keys;
mod system;
mod terminal;

use std::process::ExitCode;

use clap::Parser as _;

use crate::agent::Lifetime;
use crate::arguments::{Arguments, BooksCommand, Command, ConfigCommand, Global};
use crate::books::Books;
use crate::exit::Failure;
use crate::settings::{Config, Flags, Program, RawAgent, RawServer};
use crate::terminal::{Confirmation, talk};

fn main() -> ExitCode {
    let Arguments { global, command } = Arguments::parse();
    match run(&global, command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(words) = failure.words() {
                talk(&format!("offgate: {words}"));
            }
            failure.into()
        }
    }
}

fn run(global: &Global, command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(flags) => serve::run(&global.settings(Program::Server, flags, None)?),
        Command::Agent(arguments) => {
            let config = global.settings(
                Program::Agent,
                RawServer::default(),
                Some(arguments.settings),
            )?;
            let lifetime = if arguments.end_with_input {
                Lifetime::OfItsStarter
            } else {
                Lifetime::ItsOwn
            };
            agent::run(&config, lifetime)
        }
        Command::Present(what) => present::run(
            &global.settings(Program::Agent, RawServer::default(), None)?,
            &what,
            global.format,
        ),
        Command::Contact(what) => present::contact(
            &global.settings(Program::Agent, RawServer::default(), None)?,
            &what,
            global.format,
        ),
        Command::Demo(arguments) => {
            demo::run(global.data.as_deref(), global.log.as_deref(), &arguments)
        }
        Command::Doctor => doctor::run(&global.server()?, global.format),
        Command::Restore(arguments) => restore::run(&global.server()?, &arguments, global.format),
        Command::Audit(command) => command::audit::run(|| global.server(), &command, global.format),
        Command::Proof(command) => command::proof::run(
            || Books::open(&global.server()?, global.format, global.confirmation()),
            &command,
            global.format,
        ),
        Command::Config(ConfigCommand::Check(whose)) => {
            let program = if whose.agent {
                Program::Agent
            } else {
                Program::Server
            };
            global
                .settings(program, RawServer::default(), None)?
                .report()
                .show(global.format);
            Ok(())
        }
        Command::Books(command) => {
            let config = global.server()?;
            let books = Books::open(&config, global.format, global.confirmation())?;
            work(&books, &config, &command)
        }
    }
}

/// The commands that work on an open store.
fn work(books: &Books, config: &Config, command: &BooksCommand) -> Result<(), Failure> {
    match command {
        BooksCommand::Owner(command) => command::owner::run(books, config, command),
        BooksCommand::User(command) => command::user::run(books, command),
        BooksCommand::Credential(command) => command::credential::run(books, command),
        BooksCommand::Group(command) => command::group::run(books, command),
        BooksCommand::Policy(command) => command::policy::run(books, command),
        BooksCommand::Schedule(command) => command::schedule::run(books, command),
        BooksCommand::Holiday(command) => command::holiday::run(books, command),
        BooksCommand::Site(command) => command::site::run(books, command),
        BooksCommand::Door(command) => command::door::run(books, command),
        BooksCommand::DoorGroup(command) => command::door_group::run(books, command),
        BooksCommand::EmergencyList(command) => command::emergency_list::run(books, command),
        BooksCommand::Operator(command) => command::operator::run(books, config, command),
        BooksCommand::AgentKey(command) => command::agent_key::run(books, command),
        BooksCommand::Keys(command) => command::keys::run(books, command),
        BooksCommand::Backup(command) => command::backup::run(books, config, command),
        BooksCommand::JoinToken(command) => command::join_token::run(books, command),
        BooksCommand::ServerAddress(command) => command::server_address::run(books, command),
        BooksCommand::Keeping(command) => command::keeping::run(books, command),
        BooksCommand::Alert(command) => command::alert::run(books, command),
        BooksCommand::Metrics => command::metrics::run(books),
        BooksCommand::Webhook(command) => command::webhook::run(books, command),
        BooksCommand::Mail(command) => command::mail::run(books, command),
        BooksCommand::Vault(command) => command::vault::run(books, command),
        BooksCommand::Activity(arguments) => command::activity::run(books, arguments),
    }
}

impl Global {
    fn settings(
        &self,
        program: Program,
        server: RawServer,
        agent: Option<RawAgent>,
    ) -> Result<Config, Failure> {
        let flags = Flags {
            data: self.data.clone(),
            config: self.config.clone(),
            log: self.log.clone(),
            server,
            agent: agent.unwrap_or_default(),
        };
        Config::load(program, flags, &|name| std::env::var_os(name))
    }

    /// The settings of the commands that work on the server's data.
    fn server(&self) -> Result<Config, Failure> {
        self.settings(Program::Server, RawServer::default(), None)
    }

    const fn confirmation(&self) -> Confirmation {
        if self.yes {
            Confirmation::Given
        } else {
            Confirmation::Ask
        }
    }
}
