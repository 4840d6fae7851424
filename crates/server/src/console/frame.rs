//! What every page shows around its own content.

use askama::Template;
use offgate_core::operator::Role;
use offgate_store::StoreError;

use super::signed_in::SignedIn;
use super::{Console, assets, times};

/// The parts of the console, as its navigation names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Today,
    Users,
    Doors,
    Activity,
    System,
}

impl Section {
    const ALL: [Self; 5] = [
        Self::Today,
        Self::Users,
        Self::Doors,
        Self::Activity,
        Self::System,
    ];

    const fn label(self) -> &'static str {
        match self {
            Self::Today => "Today",
            Self::Users => "Users",
            Self::Doors => "Doors",
            Self::Activity => "Activity",
            Self::System => "System",
        }
    }

    const fn href(self) -> &'static str {
        match self {
            Self::Today => "/",
            Self::Users => "/users",
            Self::Doors => "/doors",
            Self::Activity => "/activity",
            Self::System => "/system",
        }
    }
}

/// Light, dark, or as the device is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Theme {
    Device,
    Light,
    Dark,
}

impl Theme {
    pub(crate) const ALL: [Self; 3] = [Self::Device, Self::Light, Self::Dark];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    pub(crate) fn from_name(name: &str) -> Self {
        let known = Self::ALL.into_iter();
        known
            .into_iter()
            .find(|theme| theme.name() == name)
            .unwrap_or(Self::Device)
    }
}

/// What just came of something, above the heading. A problem stands at its field instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Banner {
    pub(crate) words: String,
}

impl Banner {
    pub(crate) fn done(words: impl Into<String>) -> Self {
        Self {
            words: words.into(),
        }
    }
}

/// A link of the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NavigationLink {
    pub(crate) label: &'static str,
    pub(crate) href: &'static str,
    pub(crate) current: bool,
}

/// How many people some door has not confirmed, beside the link to all people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Template)]
#[template(path = "parts/not_confirmed.html")]
pub(crate) struct NotConfirmed {
    count: u64,
}

impl NotConfirmed {
    /// Where it stands on a page.
    pub(crate) const ID: &'static str = "not-confirmed";

    pub(crate) fn now(console: &Console) -> Result<Self, StoreError> {
        let count = console.store.read().not_confirmed_count()?;
        Ok(Self { count })
    }
}

/// What every page shows around its own content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) assets: &'static str,
    pub(crate) theme: Theme,
    pub(crate) operator: String,
    pub(crate) role: Role,
    pub(crate) links: Vec<NavigationLink>,
    pub(crate) not_confirmed: NotConfirmed,
    /// In which zone all times are.
    pub(crate) zone: String,
    /// Whether there is a page of the demo's doors to point to.
    pub(crate) is_demo: bool,
    pub(crate) banner: Option<Banner>,
}

impl SignedIn {
    /// The frame of a page in a section.
    pub(crate) fn frame(&self, console: &Console, section: Section) -> Result<Frame, StoreError> {
        Ok(Frame {
            assets: assets::base(),
            theme: self.theme,
            operator: self.operator.name.as_str().to_owned(),
            role: self.operator.role,
            links: Section::ALL
                .into_iter()
                .map(|other| NavigationLink {
                    label: other.label(),
                    href: other.href(),
                    current: other == section,
                })
                .collect(),
            not_confirmed: NotConfirmed::now(console)?,
            zone: times::zone(&console.store.read())?.as_str().to_owned(),
            is_demo: console.is_demo,
            banner: None,
        })
    }
}

impl Frame {
    pub(crate) fn with(mut self, banner: Option<Banner>) -> Self {
        self.banner = banner;
        self
    }
}
