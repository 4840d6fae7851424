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
pub(crate) struct Record(Vec<(&'static str, Field)>);

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
enum Field {
    /// One value, or some that need no names.
    Value(Value),
    /// Things with fields of their own, of which people see these columns.
    Rows(&'static [&'static str], Vec<Record>),
}

impl Field {
    fn json(&self) -> Value {
        match self {
            Self::Value(value) => value.clone(),
            Self::Rows(_, rows) => rows.iter().map(Record::json).collect(),
        }
    }

    fn lines(&self) -> Vec<String> {
        match self {
            // Several lines read better below each other than in a row.
            Self::Value(Value::Array(items))
                if items
                    .iter()
                    .map(plain)
                    .map(|item| item.len())
                    .sum::<usize>()
                    > 60 =>
            {
                items.iter().map(plain).collect()
            }
            Self::Value(value) => vec![plain(value)],
            Self::Rows(_, rows) if rows.is_empty() => vec![plain(&Value::Null)],
            Self::Rows(columns, rows) => aligned(columns, rows),
        }
    }
}

impl Record {
    /// With one more field.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.push((name, Field::Value(value.into())));
        self
    }

    /// With a field of things that have fields of their own; people see these columns of them.
    pub(crate) fn with_rows(
        mut self,
        name: &'static str,
        columns: &'static [&'static str],
        rows: Vec<Self>,
    ) -> Self {
        self.0.push((name, Field::Rows(columns, rows)));
        self
    }

    /// As a program reads it.
    pub(crate) fn json(&self) -> Value {
        let fields = self
            .0
            .iter()
            .map(|(name, field)| ((*name).to_owned(), field.json()));
        Value::Object(fields.collect::<Map<_, _>>())
    }

    /// One field as people read it in a column.
    fn cell(&self, column: &str) -> String {
        self.0
            .iter()
            .find(|(name, _)| *name == column)
            .map_or_else(String::new, |(_, field)| plain(&field.json()))
    }

    fn text(&self) -> String {
        let width = self
            .0
            .iter()
            .map(|(name, _)| name.len())
            .max()
            .unwrap_or_default();
        let lines = self.0.iter().flat_map(|(name, field)| {
            let name = name.replace('_', " ");
            let lines = field.lines().into_iter().enumerate();
            lines
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
                for line in aligned(self.columns, &self.rows) {
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
}

/// Rows below their heads, each column as wide as its widest cell; nothing if there is no row.
fn aligned(columns: &[&str], rows: &[Record]) -> Vec<String> {
    if rows.is_empty() {
        return Vec::new();
    }
    let heads = columns
        .iter()
        .map(|column| column.replace('_', " ").to_uppercase())
        .collect();
    let cells = rows
        .iter()
        .map(|row| columns.iter().map(|column| row.cell(column)).collect());
    let lines: Vec<Vec<String>> = std::iter::once(heads).chain(cells).collect();
    let widths: Vec<usize> = (0..columns.len())
        .map(|column| {
            let cells = lines.iter().map(|line| line[column].chars().count());
            cells.max().unwrap_or_default()
        })
        .collect();
    lines
        .iter()
        .map(|line| {
            let cells = line.iter().zip(&widths).map(|(cell, width)| {
                let padding = width.saturating_sub(cell.chars().count());
                format!("{cell}{}", " ".repeat(padding))
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
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
        assert_eq!(
            aligned(&["name", "site", "readers"], &doors()),
            [
                "NAME        SITE    READERS",
                "Front door  Berlin  2",
                "Åtrium      Berlin  11"
            ]
        );
    }

    #[test]
    fn things_with_fields_of_their_own_have_heads() {
        const COLUMNS: &[&str] = &["name", "readers"];
        let site = Record::default().with("name", "Berlin");
        assert_eq!(
            site.clone().with_rows("doors", COLUMNS, doors()).text(),
            "name   Berlin\n\
             doors  NAME        READERS\n       \
                    Front door  2\n       \
                    Åtrium      11"
        );
        let without = site.with_rows("doors", COLUMNS, Vec::new());
        assert_eq!(without.text(), "name   Berlin\ndoors  –");
        assert_eq!(without.json(), json!({"name": "Berlin", "doors": []}));
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
