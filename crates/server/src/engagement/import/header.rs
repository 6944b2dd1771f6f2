use std::collections::BTreeSet;

use super::{ColumnMapping, Field, ImportProblem, fields::Fields, options::list, values::excerpt};

/// A column of the file.
pub(super) struct Column {
    pub(super) name: String,
    /// Its fields; empty if it goes into `data`.
    pub(super) fields: Vec<Field>,
}

/// The names in the header; a column without a name is named by its position, because pandas and
/// spreadsheets write such columns and their values must not be lost.
pub(super) fn header_names(fields: &Fields) -> Result<Vec<String>, String> {
    fields
        .iter()
        .enumerate()
        .map(|(place, name)| {
            let name = str::from_utf8(name).map_err(
                |_| "is not UTF-8; set the encoding: --encoding windows-1252 is Excel's",
            )?;
            let name = name.trim();
            Ok(if name.is_empty() { format!("column_{}", place + 1) } else { name.to_owned() })
        })
        .collect()
}

/// Maps columns to fields.
pub(super) fn columns(
    names: Vec<String>,
    mappings: &[ColumnMapping],
) -> Result<Vec<Column>, ImportProblem> {
    let mut seen = BTreeSet::new();
    if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
        return Err(ImportProblem::DuplicateColumn(excerpt(twice)));
    }
    let found = list_columns(&names);
    let mut columns: Vec<Column> =
        names.into_iter().map(|name| Column { name, fields: Vec::new() }).collect();
    let mut missing = Vec::new();
    for field in Field::ALL {
        let mapped = mappings.iter().find(|mapping| mapping.field == field);
        let name = mapped.map_or(field.as_str(), |mapping| mapping.column.as_str());
        match columns.iter_mut().find(|column| column.name == name) {
            Some(column) => column.fields.push(field),
            None if mapped.is_some() => {
                let column = name.to_owned();
                return Err(ImportProblem::NoSuchColumn { field, column, found });
            }
            None if field.is_required() => missing.push(field),
            None => {}
        }
    }
    if missing.is_empty() {
        return Ok(columns);
    }
    let remedy = remedy(&columns, &missing);
    Err(ImportProblem::MissingColumns { missing, found, remedy })
}

/// The remedy for missing columns: usually they have other names, sometimes it is the wrong file.
fn remedy(columns: &[Column], missing: &[Field]) -> String {
    if let [only] = columns
        && only.name.contains('|')
    {
        return "It seems to be separated by vertical bars: use commas, semicolons or tabs"
            .to_owned();
    }
    let examples: Vec<String> =
        missing.iter().map(|field| format!("--column {field}=NAME")).collect();
    format!("Name its column: {}; or add a header line if the file has none", examples.join(" "))
}

/// Lists the columns of a file, truncated for a message.
fn list_columns(names: &[String]) -> String {
    const MAX_LISTED: usize = 20;
    let mut short: Vec<String> = names.iter().take(MAX_LISTED).map(|name| excerpt(name)).collect();
    if names.len() > MAX_LISTED {
        short.push(format!("and {} more", names.len() - MAX_LISTED));
    }
    list(short.iter().map(String::as_str), ", ")
}
