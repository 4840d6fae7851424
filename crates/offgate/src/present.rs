//! `offgate present` and `offgate contact`: something is held up at a door's simulated reader, or the
//! door is opened.

use offgate_agent::reader::simulated::{self, PresentError};
use offgate_agent::reader::{Answer, At};
use offgate_core::credential::CredentialKind;
use offgate_core::door_position::Position;
use serde_json::Value;

use crate::arguments::{ContactArguments, PresentArguments, Presented, Stands};
use crate::exit::Failure;
use crate::record::{Format, Record};
use crate::settings::Config;
use crate::terminal::{answer, secret};

pub(crate) fn run(config: &Config, what: &PresentArguments, format: Format) -> Result<(), Failure> {
    let (kind, value) = presented(&what.presented)?;
    let at = At {
        door: what.door.clone(),
        direction: what.direction.into(),
    };
    let answered = simulated::present(&config.data.value, at, kind, &value)
        .map_err(|error| failure(config, "present", &error))?;
    let (granted, reason) = match answered {
        Answer::Granted => (true, Value::Null),
        Answer::Refused(reason) => (false, reason.name().into()),
    };
    match format {
        Format::Text => answer(&answered.to_string()),
        Format::Json => {
            Record::default()
                .with("granted", granted)
                .with("reason", reason)
                .show(format);
        }
    }
    if granted {
        Ok(())
    } else {
        Err(Failure::NotGranted)
    }
}

/// `offgate contact`
pub(crate) fn contact(
    config: &Config,
    what: &ContactArguments,
    format: Format,
) -> Result<(), Failure> {
    let position = match what.position {
        Stands::Open => Position::Open,
        Stands::Closed => Position::Closed,
    };
    simulated::contact(&config.data.value, &what.door, position)
        .map_err(|error| failure(config, "contact", &error))?;
    match format {
        Format::Text => answer("noted"),
        Format::Json => Record::default()
            .with("door", what.door.as_str())
            .with("position", position.name())
            .show(format),
    }
    Ok(())
}

fn failure(config: &Config, command: &'static str, error: &PresentError) -> Failure {
    let words = error.to_string();
    match error {
        PresentError::NotUnderstood(_) => Failure::usage(command, words),
        PresentError::NoAgent(_) | PresentError::NoAnswer(_) => {
            Failure::unavailable(config.data.value.display(), words)
        }
    }
}

fn presented(what: &Presented) -> Result<(CredentialKind, String), Failure> {
    let read = |kind: CredentialKind, what: &str, given: &str| {
        let value = if given == "-" {
            secret(what, given)?
        } else {
            given.to_owned()
        };
        Ok((kind, value))
    };
    match (&what.pin, &what.nfc, &what.plate) {
        (Some(pin), ..) => read(CredentialKind::Pin, "the PIN", pin),
        (_, Some(token), _) => read(CredentialKind::NfcCard, "the card", token),
        (_, _, Some(plate)) => Ok((CredentialKind::LicencePlate, plate.clone())),
        (None, None, None) => Err(Failure::usage("--pin, --nfc or --plate", "one is needed")),
    }
}
