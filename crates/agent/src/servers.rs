//! Where the server is looked for: what the agent was told when it was set up, and what the server
//! said since, which is kept on disk.

use std::io;

use offgate_core::server_address::ServerAddresses;

use crate::disk::Disk;

const NAME: &str = "servers";

/// The addresses, and whose turn it is.
pub(crate) struct Servers {
    folder: Box<dyn Disk>,
    /// From the settings. Not empty.
    given: Vec<String>,
    announced: ServerAddresses,
    next: usize,
}

impl Servers {
    /// These, and those that are on disk. A file that is damaged is as good as none: the server says
    /// it again.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub(crate) fn open(mut folder: Box<dyn Disk>, given: Vec<String>) -> io::Result<Self> {
        let announced = match folder.read_if_there(NAME)? {
            Some(bytes) => read(&bytes).unwrap_or_default(),
            None => ServerAddresses::default(),
        };
        Ok(Self {
            folder,
            given,
            announced,
            next: 0,
        })
    }

    /// The one whose turn it is, host and port; the next time it is another's, if there are more.
    pub(crate) fn turn(&mut self) -> String {
        let announced = self.announced.iter().map(|address| address.as_str());
        let more = announced.filter(|address| !self.given.iter().any(|given| given == address));
        let all: Vec<&str> = self.given.iter().map(String::as_str).chain(more).collect();
        let chosen = all[self.next % all.len()].to_owned();
        self.next = (self.next + 1) % all.len();
        chosen
    }

    /// Keeps what the server said, so that a power cut leaves either it or what was there before.
    ///
    /// # Errors
    /// It may not be durable. It counts in memory all the same.
    pub(crate) fn keep(&mut self, announced: ServerAddresses) -> io::Result<()> {
        if announced == self.announced {
            return Ok(());
        }
        let lines = announced.to_lines();
        self.announced = announced;
        let checksum = blake3::hash(lines.as_bytes());
        let bytes = [lines.as_bytes(), checksum.as_bytes().as_slice()].concat();
        self.folder.write_whole(NAME, &bytes)
    }
}

fn read(bytes: &[u8]) -> Option<ServerAddresses> {
    let (lines, checksum) = bytes.split_last_chunk::<32>()?;
    if blake3::hash(lines).as_bytes() != checksum {
        return None;
    }
    ServerAddresses::from_lines(std::str::from_utf8(lines).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::simulated::{SimulatedDisk, Survivors};

    fn open(disk: &SimulatedDisk) -> Servers {
        let given = vec!["old:1".to_owned()];
        Servers::open(Box::new(disk.clone()), given).expect("readable")
    }

    #[test]
    fn what_the_server_said_is_tried_in_turn_also_after_a_start() {
        let disk = SimulatedDisk::default();
        let mut servers = open(&disk);
        assert_eq!([servers.turn(), servers.turn()], ["old:1", "old:1"]);
        let announced = ServerAddresses::from_lines("old:1\nnew:2").expect("addresses");
        servers.keep(announced).expect("a working disk");
        let mut disk = disk.after_power_cut(Survivors::OnlySynced);
        let mut servers = open(&disk);
        let turns = [servers.turn(), servers.turn(), servers.turn()];
        assert_eq!(turns, ["old:1", "new:2", "old:1"]);
        servers
            .keep(ServerAddresses::default())
            .expect("a working disk");
        assert_eq!(open(&disk).turn(), "old:1");
        disk.write_whole(NAME, b"new:2 and nothing that says it is whole")
            .expect("a working disk");
        let mut servers = open(&disk);
        assert_eq!([servers.turn(), servers.turn()], ["old:1", "old:1"]);
    }
}
