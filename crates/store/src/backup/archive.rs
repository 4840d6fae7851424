//! Several files in one stream: for each its name, its length and its bytes; an empty name ends it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Component, Path};

/// The longest name.
const NAME_LIMIT: usize = 255;

/// Puts one file in.
pub(super) fn put(to: &mut impl Write, name: &str, file: &mut File) -> io::Result<()> {
    let length = file.metadata()?.len();
    let invalid = || io::Error::other("a name that is too long");
    let name_length = u16::try_from(name.len()).map_err(|_| invalid())?;
    if name.is_empty() || name.len() > NAME_LIMIT {
        return Err(invalid());
    }
    to.write_all(&name_length.to_be_bytes())?;
    to.write_all(name.as_bytes())?;
    to.write_all(&length.to_be_bytes())?;
    let copied = io::copy(&mut file.take(length), to)?;
    if copied == length {
        Ok(())
    } else {
        Err(io::Error::other("a file became shorter while it was read"))
    }
}

/// Says that there is no other.
pub(super) fn end(to: &mut impl Write) -> io::Result<()> {
    to.write_all(&0_u16.to_be_bytes())
}

/// Takes every file out, with its name and its length.
pub(super) fn take_all(
    from: &mut impl Read,
    mut each: impl FnMut(&str, u64, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    loop {
        let (mut name_length, mut length) = ([0; 2], [0; 8]);
        from.read_exact(&mut name_length).map_err(cut)?;
        let name_length = usize::from(u16::from_be_bytes(name_length));
        if name_length == 0 {
            // The stream must end here too: that is for its cipher to say.
            let mut rest = [0; 1];
            return match from.read(&mut rest)? {
                0 => Ok(()),
                _ => Err(io::ErrorKind::InvalidData.into()),
            };
        }
        let mut name = vec![0; name_length];
        from.read_exact(&mut name).map_err(cut)?;
        from.read_exact(&mut length).map_err(cut)?;
        let name = String::from_utf8(name)
            .ok()
            .filter(|name| is_inside(name))
            .ok_or(io::ErrorKind::InvalidData)?;
        let length = u64::from_be_bytes(length);
        let mut file = from.by_ref().take(length);
        each(&name, length, &mut file)?;
        if file.limit() != 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

fn cut(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        io::ErrorKind::InvalidData.into()
    } else {
        error
    }
}

/// Whether a name leads nowhere but into the folder in which it is put.
fn is_inside(name: &str) -> bool {
    name.len() <= NAME_LIMIT
        && Path::new(name)
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside() {
        for (name, inside) in [
            ("offgate.db", true),
            ("keys/keyring", true),
            ("../offgate.db", false),
            ("/etc/passwd", false),
            ("keys/../../x", false),
        ] {
            assert_eq!(is_inside(name), inside, "{name}");
        }
    }
}
