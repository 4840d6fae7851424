//! What somebody is to present, as it is given on the command line. A PIN never is an argument: it
//! is generated, or read from standard input or a file.

use clap::Args;
use offgate_core::credential::{
    CardToken, DisplayNumber, NewCredential, NewMeans, Plate, PlateSharing,
};
use offgate_core::id::CredentialId;
use offgate_core::pin::{self, Pin, PinCandidate};
use offgate_core::text::Label;

use crate::books::Books;
use crate::exit::Failure;
use crate::terminal::secret;

/// New credentials.
#[derive(Clone, Debug, Args)]
pub(crate) struct MeansArguments {
    /// A PIN: `generate` makes one and shows it once; `-` or a file holds one
    #[arg(long, value_name = "generate|-|FILE")]
    pin: Option<String>,
    /// A card or tag, by what it says when it is presented; `-` reads it from standard input
    #[arg(long, value_name = "TOKEN|-")]
    nfc: Option<String>,
    /// The number printed on the card
    #[arg(long, value_name = "TEXT", requires = "nfc")]
    number: Option<String>,
    /// A licence plate
    #[arg(long, value_name = "TEXT")]
    plate: Option<String>,
    /// Others may hold the plate too
    #[arg(long, requires = "plate")]
    shared: bool,
    /// What the holder calls it
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
}

/// What was asked for, ready to be added.
pub(crate) struct Means {
    /// The credentials.
    pub(crate) credentials: Vec<NewCredential>,
    /// The PIN that was made, to be shown once.
    pub(crate) generated_pin: Option<Pin>,
}

impl MeansArguments {
    /// Reads what was given.
    pub(crate) fn read(&self, books: &Books) -> Result<Means, Failure> {
        let label = self.label.as_deref().map(Label::parse).transpose();
        let label = label.map_err(|error| Failure::usage("--label", error))?;
        let mut generated_pin = None;
        let mut all = Vec::new();
        if let Some(source) = &self.pin {
            let pin = if source == "generate" {
                let pin = free_pin(books)?;
                generated_pin = Some(pin.clone());
                pin
            } else {
                let digits = secret("the PIN", source)?;
                Pin::parse(&digits).map_err(|error| Failure::usage("--pin", error))?
            };
            all.push(NewMeans::Pin(PinCandidate::new(
                &pin,
                &books.store().identity().pin_salt,
            )));
        }
        if let Some(given) = &self.nfc {
            let text = if given == "-" {
                secret("the card", given)?
            } else {
                given.clone()
            };
            let token = CardToken::parse(&text).map_err(|error| Failure::usage("--nfc", error))?;
            let display_number = match &self.number {
                Some(number) => DisplayNumber::parse(number)
                    .map_err(|error| Failure::usage("--number", error))?,
                None => DisplayNumber::of_token(&token),
            };
            all.push(NewMeans::NfcCard {
                token,
                display_number,
            });
        }
        if let Some(text) = &self.plate {
            let plate = Plate::parse(text).map_err(|error| Failure::usage("--plate", error))?;
            let sharing = if self.shared {
                PlateSharing::Shared
            } else {
                PlateSharing::Unique
            };
            all.push(NewMeans::LicencePlate { plate, sharing });
        }
        let credentials = all
            .into_iter()
            .map(|means| NewCredential {
                id: CredentialId::random(books.randomness()),
                label: label.clone(),
                means,
            })
            .collect();
        Ok(Means {
            credentials,
            generated_pin,
        })
    }
}

/// A PIN that nobody has, long enough for the number of holders.
pub(super) fn free_pin(books: &Books) -> Result<Pin, Failure> {
    let reader = books.reader();
    let (salt, now) = (books.store().identity().pin_salt, books.now());
    let holders = reader.user_counts(None, now)?.all;
    pin::free_pin(&reader, &salt, holders, books.randomness(), now)?.ok_or_else(|| {
        Failure::Unavailable("there is no free PIN; eight digits are too few".to_owned())
    })
}
