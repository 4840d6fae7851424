//! Identifiers: one type per kind of thing, so that a door can never be passed for a user.
//!
//! All are 128 random bits (they leave the system, so they must not count anything) and are
//! written as lower-case hyphenated hexadecimal, the form of RFC 9562.

use crate::parameters::Randomness;

/// The text given for an identifier is not 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier")]
pub struct NotAnId;

fn parse(text: &str) -> Result<[u8; 16], NotAnId> {
    if text.len() > 36 {
        return Err(NotAnId);
    }
    let mut bytes = [0_u8; 16];
    let mut digits = 0;
    for character in text.chars().filter(|character| *character != '-') {
        let digit = character.to_digit(16).ok_or(NotAnId)? as u8;
        let byte = bytes.get_mut(digits / 2).ok_or(NotAnId)?;
        *byte = *byte << 4 | digit;
        digits += 1;
    }
    if digits == 32 {
        Ok(bytes)
    } else {
        Err(NotAnId)
    }
}

fn write(bytes: [u8; 16], formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    for (position, byte) in bytes.iter().enumerate() {
        if matches!(position, 4 | 6 | 8 | 10) {
            formatter.write_str("-")?;
        }
        write!(formatter, "{byte:02x}")?;
    }
    Ok(())
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The identifier with exactly these bytes, as read from a row or a message.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The bytes as they are stored and sent.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// A new identifier.
            #[must_use]
            pub fn random(randomness: &dyn Randomness) -> Self {
                let mut bytes = [0_u8; 16];
                randomness.fill(&mut bytes);
                bytes[6] = bytes[6] & 0x0f | 0x40;
                bytes[8] = bytes[8] & 0x3f | 0x80;
                Self(bytes)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write(self.0, formatter)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(concat!(stringify!($name), "("))?;
                write(self.0, formatter)?;
                formatter.write_str(")")
            }
        }

        impl std::str::FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                parse(text).map(Self)
            }
        }
    )+};
}

ids! {
    /// A person who may open doors.
    UserId
    /// Someone who signs in to the console.
    OperatorId
    /// A PIN, card or plate; a re-issued card is a new credential.
    CredentialId
    /// A set of users that carries policies.
    GroupId
    /// A place with a time zone.
    SiteId
    /// A door.
    DoorId
    /// A set of doors.
    DoorGroupId
    /// A reader at a door.
    ReaderId
    /// Doors × schedule.
    PolicyId
    /// Weekly windows.
    ScheduleId
    /// A calendar of holidays.
    HolidayGroupId
    /// A list of people whom cut-off doors still admit.
    EmergencyListId
    /// The program beside one or more doors that decides.
    AgentId
    /// A single-use invitation for an agent.
    JoinTokenId
    /// One request to change something; repeating it repeats its answer.
    CommandId
    /// One Offgate store.
    StoreId
    /// A letter to be sent.
    LetterId
    /// A question to a door, of one answer.
    QuestionId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_read_back() {
        let id = DoorId::from_bytes(*b"0123456789abcdef");
        assert_eq!(id.to_string(), "30313233-3435-3637-3839-616263646566");
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "30313233",
            "30313233-3435-3637-3839-61626364656g",
            &"0".repeat(33),
            &"-".repeat(10_000),
        ] {
            assert_eq!(text.parse::<DoorId>(), Err(NotAnId), "{text:.40}");
        }
    }
}
