//! `offgate site`: places with a time zone.

use clap::{Args, Subcommand};
use offgate_core::command::{Command, Expected};
use offgate_core::id::SiteId;
use offgate_core::parameters::Revision;
use offgate_core::place::{Site, ZoneName};
use offgate_core::policy::Policy;
use offgate_core::records::Records as _;
use offgate_store::Reader;

use super::furniture::{Page, Shown, Which, list, pick, show, show_result, title};
use crate::books::Books;
use crate::exit::Failure;
use crate::record::{Record, reference};

/// What to do with sites.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum SiteCommand {
    /// List sites
    List(Page),
    /// Show one
    Show(Which),
    /// Add one
    Create(Create),
    /// Change one
    Edit(Edit),
}

/// A new site.
#[derive(Clone, Debug, Args)]
pub(crate) struct Create {
    /// What it is called
    name: String,
    /// Its time zone, as in Europe/Berlin
    #[arg(long)]
    zone: String,
    /// The policy that new people get unless another is chosen
    #[arg(long, value_name = "POLICY")]
    default_policy: Option<String>,
}

/// What changes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Edit {
    #[command(flatten)]
    which: Which,
    /// A new name
    #[arg(long)]
    name: Option<String>,
    /// Another time zone
    #[arg(long)]
    zone: Option<String>,
    /// Another policy for new people
    #[arg(long, value_name = "POLICY")]
    default_policy: Option<String>,
    /// No policy for new people
    #[arg(long, conflicts_with = "default_policy")]
    no_default_policy: bool,
}

impl Shown for Site {
    const COLUMNS: &'static [&'static str] = &["name", "zone", "default_policy", "id"];

    fn record(&self, reader: &Reader) -> Result<Record, Failure> {
        let policy = match self.default_policy {
            Some(id) => reader
                .policy(id)?
                .map(|policy| reference(id, policy.name.as_str())),
            None => None,
        };
        Ok(Record::default()
            .with("id", self.id.to_string())
            .with("name", self.name.as_str())
            .with("zone", self.zone.as_str())
            .with("default_policy", policy))
    }
}

pub(crate) fn run(books: &Books, command: &SiteCommand) -> Result<(), Failure> {
    match command {
        SiteCommand::List(page) => list::<Site>(books, page, |_| true),
        SiteCommand::Show(which) => show::<Site>(books, which),
        SiteCommand::Create(new) => create(books, new),
        SiteCommand::Edit(edit) => change(books, edit),
    }
}

fn create(books: &Books, new: &Create) -> Result<(), Failure> {
    let reader = books.reader();
    let policy = new
        .default_policy
        .as_deref()
        .map(|wanted| pick::<Policy>(&reader, wanted));
    let site = Site {
        id: SiteId::random(books.randomness()),
        revision: Revision::ZERO,
        name: title("NAME", &new.name)?,
        zone: zone(&new.zone)?,
        default_policy: policy.transpose()?.map(|policy| policy.id),
    };
    let id = site.id;
    books.carry_out(Command::CreateSite(site))?;
    show_result::<Site>(books, id)
}

fn change(books: &Books, edit: &Edit) -> Result<(), Failure> {
    let reader = books.reader();
    let mut site: Site = pick(&reader, &edit.which.wanted)?;
    if let Some(name) = &edit.name {
        site.name = title("--name", name)?;
    }
    if let Some(name) = &edit.zone {
        site.zone = zone(name)?;
    }
    if let Some(wanted) = &edit.default_policy {
        site.default_policy = Some(pick::<Policy>(&reader, wanted)?.id);
    }
    if edit.no_default_policy {
        site.default_policy = None;
    }
    let (id, drawn) = (site.id, site.revision);
    books.carry_out(Command::EditSite(site, Expected::Unchanged(drawn)))?;
    show_result::<Site>(books, id)
}

fn zone(name: &str) -> Result<ZoneName, Failure> {
    ZoneName::parse(name).map_err(|error| Failure::usage("--zone", error))
}
