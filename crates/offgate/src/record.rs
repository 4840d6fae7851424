//! How answers look: the same fields as aligned text for people and as JSON for programs.

use serde_json::{Map, Value, json};

use crate::terminal::answer;

/// For whom the answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// One thing, as fields in the order in which they are shown. Names are those of the JSON; people
/// read them with spaces.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Record(Vec<(&'static str, Value)>);

impl Record {
    /// With one more field.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    /// As a program reads it.
    pub(crate) fn json(&self) -> Value {
        let fields = self
            .0
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        Value::Object(fields.collect::<Map<_, _>>())
    }

    fn text(&self) -> String {
        let width = self
            .0
            .iter()
            .map(|(name, _)| name.len())
            .max()
            .unwrap_or_default();
        let lines = self.0.iter().flat_map(|(name, value)| {
            let name = name.replace('_', " ");
            let lines = match value {
                // Several lines read better below each other than in a row.
                Value::Array(items)
                    if items
                        .iter()
                        .map(plain)
                        .map(|item| item.len())
                        .sum::<usize>()
                        > 60 =>
                {
                    items.iter().map(plain).collect()
                }
                other => vec![plain(other)],
            };
            lines
                .into_iter()
                .enumerate()
                .map(move |(number, line)| {
                    let name = if number == 0 { name.as_str() } else { "" };
                    format!("{name:width$}  {line}").trim_end().to_owned()
                })
                .collect::<Vec<_>>()
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Writes one thing as the answer.
    pub(crate) fn show(&self, format: Format) {
        answer(&match format {
            Format::Text => self.text(),
            Format::Json => self.json().to_string(),
        });
    }
}

/// A thing that is named beside another: its id and its name.
pub(crate) fn reference(id: impl std::fmt::Display, name: &str) -> Value {
    json!({ "id": id.to_string(), "name": name })
}

/// One page of a list.
#[derive(Debug)]
pub(crate) struct List {
    /// The columns that people see; programs get every field.
    pub(crate) columns: &'static [&'static str],
    /// The rows.
    pub(crate) rows: Vec<Record>,
    /// What to give to `--after` for the next page; none if this was the last.
    pub(crate) next: Option<String>,
}

impl List {
    /// Writes the page as the answer.
    pub(crate) fn show(&self, format: Format) {
        match format {
            Format::Json => {
                let items: Vec<Value> = self.rows.iter().map(Record::json).collect();
                answer(&json!({ "items": items, "next": self.next }).to_string());
            }
            Format::Text => {
                for line in self.lines() {
                    answer(&line);
                }
                if self.rows.is_empty() {
                    crate::terminal::talk("none");
                }
                if let Some(next) = &self.next {
                    crate::terminal::talk(&format!("more: --after {next}"));
                }
            }
        }
    }

    fn lines(&self) -> Vec<String> {
        let cell = |record: &Record, column: &str| {
            record
                .0
                .iter()
                .find(|(name, _)| *name == column)
                .map_or_else(String::new, |(_, value)| plain(value))
        };
        let rows: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|record| {
                self.columns
                    .iter()
                    .map(|column| cell(record, column))
                    .collect()
            })
            .collect();
        if rows.is_empty() {
            return Vec::new();
        }
        let heads: Vec<String> = self
            .columns
            .iter()
            .map(|column| column.replace('_', " ").to_uppercase())
            .collect();
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|column| {
                let cells = rows
                    .iter()
                    .chain([&heads])
                    .map(|row| row[column].chars().count());
                cells.max().unwrap_or_default()
            })
            .collect();
        [&heads]
            .into_iter()
            .chain(&rows)
            .map(|row| {
                let cells = row.iter().zip(&widths).map(|(cell, width)| {
                    let padding = width.saturating_sub(cell.chars().count());
                    format!("{cell}{}", " ".repeat(padding))
                });
                cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
            })
            .collect()
    }
}

/// A value as people read it.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "–".to_owned(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => match fields.get("name") {
            Some(name) => plain(name),
            None => fields.values().map(plain).collect::<Vec<_>>().join(" "),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doors() -> Vec<Record> {
        [("Front door", 2), ("Åtrium", 11)]
            .into_iter()
            .map(|(name, readers)| {
                Record::default()
                    .with("name", name)
                    .with("readers", readers)
                    .with("site", reference("1", "Berlin"))
            })
            .collect()
    }

    #[test]
    fn columns_are_aligned_by_characters() {
        let list = List {
            columns: &["name", "site", "readers"],
            rows: doors(),
            next: None,
        };
        assert_eq!(
            list.lines(),
            [
                "NAME        SITE    READERS",
                "Front door  Berlin  2",
                "Åtrium      Berlin  11"
            ]
        );
    }

    #[test]
    fn text_and_json_have_the_same_fields() {
        let record = doors().remove(0).with("works_alone", Value::Null);
        assert_eq!(
            record.text(),
            "name         Front door\nreaders      2\nsite         Berlin\nworks alone  –"
        );
        assert_eq!(
            record.json(),
            json!({"name": "Front door", "readers": 2, "site": {"id": "1", "name": "Berlin"},
                   "works_alone": null})
        );
    }
}
