use std::collections::BTreeSet;

use super::{ColumnMapping, Field, ImportProblem, fields::Fields, options::list, values::clipped};

/// What a column is for.
pub(super) struct Column {
    pub(super) name: String,
    /// The fields that it holds; empty when it goes into `data`.
    pub(super) fields: Vec<Field>,
}

/// The names in the header; a column without one is named by its place, because pandas and
/// spreadsheets write such columns and their values must not be lost.
pub(super) fn header_names(fields: &Fields) -> Result<Vec<String>, String> {
    fields
        .iter()
        .enumerate()
        .map(|(place, name)| {
            let name = str::from_utf8(name).map_err(
                |_| "is not UTF-8; say how the file is encoded: --encoding windows-1252 is what Excel writes",
            )?;
            let name = name.trim();
            Ok(if name.is_empty() { format!("column_{}", place + 1) } else { name.to_owned() })
        })
        .collect()
}

/// What each column is for.
pub(super) fn columns(
    names: Vec<String>,
    mappings: &[ColumnMapping],
) -> Result<Vec<Column>, ImportProblem> {
    let mut seen = BTreeSet::new();
    if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
        return Err(ImportProblem::DuplicateColumn(clipped(twice)));
    }
    let found = shown(&names);
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

/// What to do about missing columns: mostly they have other names, sometimes it is no such file.
fn remedy(columns: &[Column], missing: &[Field]) -> String {
    if let [only] = columns
        && only.name.contains('|')
    {
        return "It looks separated by vertical bars: save it separated by commas, semicolons or tabs"
            .to_owned();
    }
    let examples: Vec<String> =
        missing.iter().map(|field| format!("--column {field}=NAME")).collect();
    format!(
        "Say which column holds it: {}; or add a header line if the file has none",
        examples.join(" ")
    )
}

/// The columns of a file, for a message of bearable length.
fn shown(names: &[String]) -> String {
    const MOST: usize = 20;
    let mut short: Vec<String> = names.iter().take(MOST).map(|name| clipped(name)).collect();
    if names.len() > MOST {
        short.push(format!("and {} more", names.len() - MOST));
    }
    list(short.iter().map(String::as_str), ", ")
}
