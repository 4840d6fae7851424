//! The command line as it is typed. What a word means is for the module of its command.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::command::activity::ActivityArguments;
use crate::command::agent_key::AgentKeyCommand;
use crate::command::alert::AlertCommand;
use crate::command::audit::AuditCommand;
use crate::command::backup::BackupCommand;
use crate::command::credential::CredentialCommand;
use crate::command::door::DoorCommand;
use crate::command::door_group::DoorGroupCommand;
use crate::command::emergency_list::EmergencyListCommand;
use crate::command::group::GroupCommand;
use crate::command::holiday::HolidayCommand;
use crate::command::join_token::JoinTokenCommand;
use crate::command::keeping::KeepingCommand;
use crate::command::keys::KeysCommand;
use crate::command::mail::MailCommand;
use crate::command::operator::OperatorCommand;
use crate::command::owner::OwnerCommand;
use crate::command::policy::PolicyCommand;
use crate::command::proof::ProofCommand;
use crate::command::schedule::ScheduleCommand;
use crate::command::server_address::ServerAddressCommand;
use crate::command::site::SiteCommand;
use crate::command::user::UserCommand;
use crate::command::vault::VaultCommand;
use crate::command::webhook::WebhookCommand;
use crate::exit::CODES;
use crate::record::Format;
use crate::restore::RestoreArguments;
use crate::settings::{RawAgent, RawServer};

/// Offgate: a door access server that proves who is out
#[derive(Clone, Debug, Parser)]
#[command(name = "offgate", version, after_long_help = CODES, max_term_width = 100)]
#[command(propagate_version = true, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// The data directory [env: OFFGATE_DATA] [default: offgate, for agents offgate-agent, in
    /// $XDG_STATE_HOME, ~/.local/state or /var/lib]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// The settings file [env: OFFGATE_CONFIG] [default: offgate.toml in the data directory]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// What is logged to standard error [env: OFFGATE_LOG] [default: info]
    #[arg(long, global = true, value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// How answers look
    #[arg(long, global = true, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// Do not ask before something is destroyed
    #[arg(long, short, global = true)]
    pub(crate) yes: bool,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one value of it in a process"
)]
pub(crate) enum Command {
    /// Run the server: console for people, link for agents
    Serve(RawServer),
    /// Run an agent beside its doors
    Agent(AgentArguments),
    /// Present a credential to an agent's simulated reader
    Present(PresentArguments),
    /// Have a door's simulated contact say that it stands open, or is closed
    Contact(ContactArguments),
    /// Show a whole organisation with doors on this machine, and nothing else touched
    Demo(DemoArguments),
    /// Check clock, disk, database, history, certificate and agents
    Doctor,
    /// Bring a store that was lost back from its backup, into a directory of its own
    Restore(RestoreArguments),
    /// Whether the log is as it was written, and proofs to keep outside
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Proofs that doors refuse somebody
    #[command(subcommand)]
    Proof(ProofCommand),
    /// Settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Everything that works on the server's data.
    #[command(flatten)]
    Books(BooksCommand),
}

/// What to do with the server's data, whether or not the server runs.
#[derive(Clone, Debug, Subcommand)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one value of it in a process"
)]
pub(crate) enum BooksCommand {
    /// The owner's sign-in, from the server itself
    #[command(subcommand)]
    Owner(OwnerCommand),
    /// People
    #[command(subcommand)]
    User(UserCommand),
    /// What people present at doors
    #[command(subcommand)]
    Credential(CredentialCommand),
    /// Groups of people
    #[command(subcommand)]
    Group(GroupCommand),
    /// Which doors open when
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Weekly hours
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Calendars of holidays
    #[command(subcommand)]
    Holiday(HolidayCommand),
    /// Places with a time zone
    #[command(subcommand)]
    Site(SiteCommand),
    /// Doors
    #[command(subcommand)]
    Door(DoorCommand),
    /// Groups of doors
    #[command(subcommand)]
    DoorGroup(DoorGroupCommand),
    /// People whom cut-off doors still admit
    #[command(subcommand)]
    EmergencyList(EmergencyListCommand),
    /// People who sign in to the console
    #[command(subcommand)]
    Operator(OperatorCommand),
    /// Agents and their keys
    #[command(subcommand)]
    AgentKey(AgentKeyCommand),
    /// The keys of the server itself
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Backups, beyond those that are made every night
    #[command(subcommand)]
    Backup(BackupCommand),
    /// Invitations for agents
    #[command(subcommand)]
    JoinToken(JoinTokenCommand),
    /// Where agents find the server, when it moves too
    #[command(subcommand)]
    ServerAddress(ServerAddressCommand),
    /// How long things are kept
    #[command(subcommand)]
    Keeping(KeepingCommand),
    /// Which alerts operators are sent by mail
    #[command(subcommand)]
    Alert(AlertCommand),
    /// Mail that leaves this server
    #[command(subcommand)]
    Mail(MailCommand),
    /// Print figures for whatever watches this machine, in OpenMetrics text
    Metrics,
    /// Where another program listens for alerts
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// The keys of people's details, and who was erased
    #[command(subcommand)]
    Vault(VaultCommand),
    /// What happened: changes and door events
    Activity(ActivityArguments),
}

/// Settings.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show what applies and whence; exit code 2 if it cannot apply
    Check(CheckArguments),
}

/// Whose settings.
#[derive(Clone, Debug, Args)]
pub(crate) struct CheckArguments {
    /// Those of an agent, whose data lie elsewhere
    #[arg(long)]
    pub(crate) agent: bool,
}

/// `offgate agent`
#[derive(Clone, Debug, Args)]
pub(crate) struct AgentArguments {
    #[command(flatten)]
    pub(crate) settings: RawAgent,
    /// End when standard input ends, as it does when whoever started this is gone
    #[arg(long, hide = true)]
    pub(crate) end_with_input: bool,
}

/// `offgate present`
#[derive(Clone, Debug, Args)]
pub(crate) struct PresentArguments {
    /// The door, by name or id
    #[arg(long, value_name = "NAME|ID")]
    pub(crate) door: String,
    #[command(flatten)]
    pub(crate) presented: Presented,
    /// At the reader on which side
    #[arg(long, value_enum, default_value_t = crate::command::door::Way::In)]
    pub(crate) direction: crate::command::door::Way,
}

/// What is presented.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Presented {
    /// A PIN typed at the keypad; `-` reads it from standard input
    #[arg(long, value_name = "N|-")]
    pub(crate) pin: Option<String>,
    /// A card or tag, by what it says; `-` reads it from standard input
    #[arg(long, value_name = "TOKEN|-")]
    pub(crate) nfc: Option<String>,
    /// A licence plate
    #[arg(long, value_name = "TEXT")]
    pub(crate) plate: Option<String>,
}

/// `offgate contact`
#[derive(Clone, Debug, Args)]
pub(crate) struct ContactArguments {
    /// The door, by name or id
    #[arg(long, value_name = "NAME|ID")]
    pub(crate) door: String,
    /// How it stands
    #[arg(value_enum)]
    pub(crate) position: Stands,
}

/// How a door stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Stands {
    /// Open
    Open,
    /// Closed
    Closed,
}

/// `offgate demo`
#[derive(Clone, Debug, Args)]
pub(crate) struct DemoArguments {
    /// The port of the console on 127.0.0.1; 0 takes any free one [default: 12480, or any if taken]
    #[arg(long)]
    pub(crate) port: Option<u16>,
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_help_of_every_command() {
        let mut command = Arguments::command().term_width(100);
        command.build();
        let mut text = String::new();
        write_help(&command, Depth::Top, &mut text);
        insta::assert_snapshot!("help", text);
    }

    /// Where a command is: what all commands understand is shown once.
    #[derive(Clone, Copy, PartialEq)]
    enum Depth {
        Top,
        Below,
    }

    fn write_help(command: &clap::Command, depth: Depth, text: &mut String) {
        let mut shown = command
            .clone()
            .disable_help_flag(true)
            .mut_args(|argument| {
                let said = depth == Depth::Below && argument.is_global_set();
                let is_help = matches!(argument.get_id().as_str(), "help" | "version");
                if said || is_help {
                    argument.hide(true)
                } else {
                    argument
                }
            });
        let help = shown.render_long_help().to_string();
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        let name = command.get_bin_name().unwrap_or("offgate");
        writeln!(text, "=== {name}\n{}\n", lines.join("\n").trim_end()).expect("a string");
        for subcommand in command.get_subcommands().filter(|one| !one.is_hide_set()) {
            write_help(subcommand, Depth::Below, text);
        }
    }
}

#[cfg(test)]
mod guide;
