//! Both sides know each other by the root alone, and keys that were replaced are good for nothing.

use std::sync::Arc;

use offgate_core::id::AgentId;
use offgate_link::acknowledgement::SigningKey;
use offgate_link::chain::{IssuingNumber, NotVouchedFor};
use offgate_link::identity::{
    Authority, Identity, agent_key, client_config, issued_under, server_config, server_name,
};
use offgate_link::log_key::{LogKey, NotSigned};

use crate::store_keys;

/// Runs a handshake in memory.
fn shake(
    mut client: rustls::ClientConnection,
    mut server: rustls::ServerConnection,
) -> Result<(rustls::ClientConnection, rustls::ServerConnection), rustls::Error> {
    for _ in 0..10 {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).expect("memory");
        }
        let mut unread = bytes.as_slice();
        while !unread.is_empty() {
            server.read_tls(&mut unread).expect("memory");
            server.process_new_packets()?;
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).expect("memory");
        }
        let mut unread = bytes.as_slice();
        while !unread.is_empty() {
            client.read_tls(&mut unread).expect("memory");
            client.process_new_packets()?;
        }
    }
    Ok((client, server))
}

#[test]
fn both_sides_know_each_other_by_the_root_alone() {
    let authority = store_keys(1);
    let stranger = store_keys(5);
    let key = SigningKey::from_seed(&[7; 32]).expect("a key");
    let vouched = |by: &Authority| offgate_link::identity::Identity {
        key: key.pkcs8().to_vec(),
        chain: by
            .issuing
            .vouch(AgentId::from_bytes([1; 16]), &key.public())
            .expect("a chain"),
    };
    let server = || {
        let root = authority.root.chain.first().expect("a root");
        let config = server_config(&authority.link, root).expect("a configuration");
        rustls::ServerConnection::new(Arc::new(config)).expect("a connection")
    };
    let client = |root, own: Option<&offgate_link::identity::Identity>| {
        let config = client_config(root, IssuingNumber(0), own).expect("a configuration");
        rustls::ClientConnection::new(Arc::new(config), server_name()).expect("a connection")
    };
    let own = vouched(&authority);
    let (joined, seen) =
        shake(client(authority.fingerprint(), Some(&own)), server()).expect("both agree");
    assert_eq!(joined.alpn_protocol(), Some(&b"offgate-door/1"[..]));
    let certificate = seen
        .peer_certificates()
        .and_then(<[_]>::first)
        .expect("a certificate");
    assert_eq!(agent_key(certificate).expect("a key"), key.public());
    // Without a certificate the connection stands, to enrol; the server sees none.
    let (_, seen) = shake(client(authority.fingerprint(), None), server()).expect("both agree");
    assert!(seen.peer_certificates().is_none());
    // A server with another root, and an agent of another store, are turned away.
    assert!(shake(client(stranger.fingerprint(), None), server()).is_err());
    assert!(
        shake(
            client(authority.fingerprint(), Some(&vouched(&stranger))),
            server()
        )
        .is_err()
    );
}

#[test]
fn only_a_certificate_of_the_logs_key_passes_for_one() {
    let authority = store_keys(1);
    let root = authority.fingerprint();
    let log = &authority.log;
    let key = LogKey::of(&log.chain, root).expect("the log's key");
    let signature = log.sign(b"checkpoint").expect("a signature");
    assert_eq!(key.verify(b"checkpoint", &signature), Ok(()));
    assert_eq!(key.verify(b"another", &signature), Err(NotSigned));
    let of_another_key = authority.link.sign(b"checkpoint").expect("a signature");
    assert_eq!(key.verify(b"checkpoint", &of_another_key), Err(NotSigned));
    // Another purpose.
    let agent = SigningKey::from_seed(&[7; 32]).expect("a key").public();
    let agent = authority
        .issuing
        .vouch(AgentId::from_bytes([1; 16]), &agent)
        .expect("a chain");
    for chain in [
        &agent,
        &authority.link.chain,
        &authority.issuing.chain,
        &authority.root.chain,
    ] {
        assert!(LogKey::of(chain, root).is_err());
    }
    // Another root; its own certificate put in front changes nothing.
    let stranger = store_keys(5);
    assert_eq!(
        LogKey::of(&log.chain, stranger.fingerprint()),
        Err(NotVouchedFor::AnotherRoot)
    );
    let theirs = stranger.issuing.log_key(&[8; 32]).expect("a chain");
    let mixed = [theirs.chain.clone(), authority.root.chain.clone()].concat();
    assert_eq!(LogKey::of(&mixed, root), Err(NotVouchedFor::Certificate));
    // Nothing, garbage, a chain with a hole, and every damaged byte of its own certificate.
    assert!(LogKey::of::<Vec<u8>>(&[], root).is_err());
    assert!(LogKey::of(&[vec![1, 2, 3], vec![]], root).is_err());
    let hole = [log.chain[0].clone(), log.chain[2].clone()];
    assert_eq!(LogKey::of(&hole, root), Err(NotVouchedFor::Certificate));
    for at in 0..log.chain[0].len() {
        let mut damaged = log.chain.clone();
        damaged[0][at] ^= 1;
        assert!(LogKey::of(&damaged, root).is_err(), "byte {at}");
    }
    // Nor does the log's certificate pass for the link's or for an agent's.
    let server = |own| {
        let config = server_config(own, &authority.root.chain[0]).expect("a configuration");
        rustls::ServerConnection::new(Arc::new(config)).expect("a connection")
    };
    let client = |own| {
        let config = client_config(root, IssuingNumber(0), own).expect("a configuration");
        rustls::ClientConnection::new(Arc::new(config), server_name()).expect("a connection")
    };
    assert!(shake(client(None), server(log)).is_err());
    assert!(shake(client(Some(log)), server(&authority.link)).is_err());
}

#[test]
fn an_issuing_key_that_was_replaced_is_good_for_nothing_once_its_successor_was_seen() {
    let first = store_keys(1);
    let second = first
        .root
        .issuing_key(&[20; 32], IssuingNumber(1_700_000_000))
        .expect("a chain");
    let link = second.link_key(&[21; 32]).expect("a chain");
    let meet = |link: &Identity, seen| {
        let config = server_config(link, &first.root.chain[0]).expect("a configuration");
        let server = rustls::ServerConnection::new(Arc::new(config)).expect("a connection");
        let config = client_config(first.fingerprint(), seen, None).expect("a configuration");
        let client = rustls::ClientConnection::new(Arc::new(config), server_name());
        let (client, _) = shake(client.expect("a connection"), server)?;
        let chain = client.peer_certificates().expect("a chain");
        Ok::<_, rustls::Error>(issued_under(chain, first.fingerprint()).expect("believed"))
    };
    let old = meet(&first.link, IssuingNumber(0)).expect("the first is believed");
    assert_eq!(old, IssuingNumber(1));
    assert_eq!(meet(&first.link, old), Ok(old), "again");
    let new = meet(&link, old).expect("its successor is believed");
    assert_eq!(new, IssuingNumber(1_700_000_000));
    assert!(meet(&first.link, new).is_err(), "the first no more");
    // Putting the new issuing certificate beside the old one does not help.
    let mut mixed = first.issuing.link_key(&[22; 32]).expect("a chain");
    mixed.chain.insert(1, second.chain[0].clone());
    assert!(meet(&mixed, new).is_err());
    // What the log's key signed says under which of the two.
    let log = second.log_key(&[23; 32]).expect("a chain");
    let key = LogKey::of(&log.chain, first.fingerprint()).expect("the log's key");
    assert_eq!(key.issued_under(), new);
}
