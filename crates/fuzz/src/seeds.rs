//! Bytes that are right, from the examples of the protocol's description.

use data_encoding::HEXLOWER;
use serde_json::Value;

/// The examples, which the link's tests keep true.
fn examples() -> Value {
    let text = include_str!("../../../docs/door-protocol-vectors.json");
    serde_json::from_str(text).expect("the examples")
}

/// Every `bytes` of a list of examples, by the way to it.
pub(crate) fn of(way: &[&str]) -> Vec<Vec<u8>> {
    let all = examples();
    let list = way.iter().fold(&all, |value, name| &value[*name]);
    let list = list.as_array().expect("a list of examples");
    list.iter().map(|example| hex(&example["bytes"])).collect()
}

/// One text in hexadecimal digits, by the way to it.
pub(crate) fn one(way: &[&str]) -> Vec<u8> {
    hex(way.iter().fold(&examples(), |value, name| &value[*name]))
}

/// One text, by the way to it.
pub(crate) fn text(way: &[&str]) -> String {
    let all = examples();
    let text = way.iter().fold(&all, |value, name| &value[*name]);
    text.as_str().expect("a text").to_owned()
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().expect("hexadecimal digits");
    HEXLOWER
        .decode(text.as_bytes())
        .expect("hexadecimal digits")
}
