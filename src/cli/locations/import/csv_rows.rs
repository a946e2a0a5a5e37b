//! The rows of a CSV file of locations.

use std::collections::BTreeMap;
use std::path::Path;

use csv::{ReaderBuilder, StringRecord};

use super::{ImportRow, ImportSource, RowFault};
use crate::cli::CliError;
use crate::cli::locations::add::{check_alias, location_id};
use crate::config::{SecretSource, read_stdin, read_text, trimmed};
use crate::upstream::caller::Credential;
use tool::nearest;

const COLUMNS: [&str; 7] = [
    "alias",
    "location_id",
    "name",
    "token",
    "token_file",
    "token_env",
    "company",
];

/// Longest alias made from a name, in characters.
const LONGEST: usize = 40;

/// Every row that is not empty, or its fault. `-` is stdin.
pub(super) fn read(file: &Path) -> Result<Vec<Result<ImportRow, RowFault>>, CliError> {
    let text = match file.as_os_str() == "-" {
        true => read_stdin(),
        false => read_text(file),
    };
    let shown = file.display();
    let text = text.map_err(|error| CliError(format!("{shown} cannot be read: {error}")))?;
    // Paths in a row are relative to the file, wherever the command runs.
    let folder = std::path::absolute(file)?;
    let folder = folder.parent().unwrap_or(Path::new("."));
    rows(&text, folder).map_err(|CliError(what)| CliError(format!("{shown}: {what}")))
}

fn rows(text: &str, folder: &Path) -> Result<Vec<Result<ImportRow, RowFault>>, CliError> {
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter(text))
        .flexible(true)
        .from_reader(text.as_bytes());
    let columns = columns(reader.headers()?)?;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record?;
        if record.iter().all(|field| trimmed(field).is_empty()) {
            continue;
        }
        let line = record.position().map_or(0, |at| line_from(text, at.byte()));
        let fields: BTreeMap<&str, &str> = columns
            .iter()
            .filter_map(|(name, index)| Some((*name, trimmed(record.get(*index)?))))
            .filter(|(_, field)| !field.is_empty())
            .collect();
        rows.push(row(format!("line {line}"), &fields, folder));
    }
    Ok(rows)
}

/// The line of the first letter from this byte on. The reader's own count is one short after blank lines, or if lines
/// end with a carriage return.
fn line_from(text: &str, byte: u64) -> usize {
    let start = usize::try_from(byte).unwrap_or(usize::MAX);
    let rest = text.get(start..).unwrap_or_default();
    let blank = rest.len() - rest.trim_start_matches(['\r', '\n']).len();
    let before = text.get(..start + blank).unwrap_or(text);
    1 + before.matches('\n').count()
}

/// The delimiter: spreadsheets use that of their country.
fn delimiter(text: &str) -> u8 {
    let header = text.lines().next().unwrap_or_default();
    let count = |delimiter: &u8| header.bytes().filter(|byte| byte == delimiter).count();
    let most = [b',', b';', b'\t'].into_iter().rev().max_by_key(count);
    most.unwrap_or(b',')
}

/// The known columns and their indexes.
fn columns(header: &StringRecord) -> Result<BTreeMap<&'static str, usize>, CliError> {
    let mut columns = BTreeMap::new();
    for (index, name) in header.iter().enumerate() {
        let name = trimmed(name).to_lowercase().replace([' ', '-'], "_");
        let known = COLUMNS.iter().find(|known| **known == name);
        let Some(known) = known else {
            let near = nearest(&name, COLUMNS.map(|one| (one, one)));
            let remedy = match near {
                Some(near) => format!("did you mean {near}?"),
                None => format!("there are {}", COLUMNS.join(", ")),
            };
            return Err(CliError(format!(
                "line 1: {name:?} is not a column; {remedy}"
            )));
        };
        if columns.insert(*known, index).is_some() {
            return Err(CliError(format!(
                "line 1: the column {known} appears twice"
            )));
        }
    }
    if !columns.contains_key("location_id") {
        return Err(CliError(
            "line 1: the column location_id is missing. The first line names the columns, such as \
             alias,location_id,token"
                .to_owned(),
        ));
    }
    Ok(columns)
}

fn row(label: String, fields: &BTreeMap<&str, &str>, folder: &Path) -> Result<ImportRow, RowFault> {
    let field = |name: &str| fields.get(name).copied();
    let name = field("name").map(str::to_owned);
    let alias = field("alias").map(str::to_owned);
    let alias = alias.or_else(|| alias_of_name(name.as_deref()?));
    let wrong = |what: String| RowFault {
        label: label.clone(),
        alias: alias.clone().unwrap_or_default(),
        what,
    };
    let alias = alias
        .clone()
        .ok_or_else(|| wrong("has no alias, and no name to derive one from".to_owned()))?;
    check_alias(&alias).map_err(|CliError(what)| wrong(what))?;
    let id = location_id(field("location_id").unwrap_or_default());
    let id = id.map_err(|CliError(what)| wrong(what))?;
    let token = field("token");
    if let Some(token) = token
        && Credential::parse(token).is_none()
    {
        let why = Credential::problem(token);
        let what = format!("the column token does not contain a HighLevel token: {why}");
        return Err(wrong(what));
    }
    let file = |path: &str| ImportSource::Place(SecretSource::File(folder.join(path)));
    let env = |name: &str| ImportSource::Place(SecretSource::Env(name.to_owned()));
    let given = [
        token.map(|token| ImportSource::Token(token.into())),
        field("token_file").map(file),
        field("token_env").map(env),
        field("company").map(|name| ImportSource::Company(name.to_owned())),
    ];
    let mut given = given.into_iter().flatten();
    let source = match (given.next(), given.next()) {
        (Some(source), None) => source,
        (None, _) => {
            let what = "has none of token, token_file, token_env and company";
            return Err(wrong(what.to_owned()));
        }
        (Some(_), Some(_)) => {
            let what = "has more than one of token, token_file, token_env and company";
            return Err(wrong(what.to_owned()));
        }
    };
    Ok(ImportRow {
        label,
        alias,
        name,
        id,
        source,
    })
}

/// `Harbor Dental & Spa` becomes `harbor-dental-spa`. `None` if nothing is left.
pub(in crate::cli) fn alias_of_name(name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    let words = lower.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let alias: String = words.join("-").chars().take(LONGEST).collect();
    let alias = alias.trim_end_matches('-').to_owned();
    (!alias.is_empty()).then_some(alias)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Line, alias and token place of each row, or its fault.
    fn read_rows(text: &str) -> Result<Vec<String>, String> {
        let rows = rows(text, Path::new("/list")).map_err(|CliError(what)| what)?;
        let rows = rows.into_iter().map(|row| match row {
            Ok(row) => {
                let source = match row.source {
                    ImportSource::Token(_) => "token".to_owned(),
                    ImportSource::Place(source) => source.to_string(),
                    ImportSource::Company(company) => format!("company {company}"),
                };
                format!("{} {} {} {source}", row.label, row.alias, row.id.as_str())
            }
            Err(fault) => format!("{} {}: {}", fault.label, fault.alias, fault.what),
        });
        Ok(rows.collect())
    }

    #[test]
    fn rows_are_read_as_spreadsheets_write_them() {
        for (text, expected) in [
            (
                "alias,location_id,token\nb1,L1,pit-1\n",
                "line 2 b1 L1 token",
            ),
            (
                "Alias;Location ID;Token\r\nb1;L1;pit-1\r\n",
                "line 2 b1 L1 token",
            ),
            (
                "name\tlocation-id\ttoken_env\nHarbor Dental & Spa\tL1\tA\n",
                "line 2 harbor-dental-spa L1 variable A",
            ),
            (
                "location_id,alias,token_file\n\n\"https://x/location/L1/a,b\",b1,t/1\n",
                "line 3 b1 L1 file /list/t/1",
            ),
            (
                "alias,location_id,company,token\nb1,L1,agency,\n",
                "line 2 b1 L1 company agency",
            ),
        ] {
            assert_eq!(read_rows(text), Ok(vec![expected.to_owned()]), "{text}");
        }
    }

    #[test]
    fn a_row_that_cannot_be_is_named_by_its_line_and_ends_no_other() {
        let text = "alias,location_id,token,token_env\n\
                    B 1,L1,pit-1,\nb2,,pit-2,\nb3,L3,secret-thing,\nb4,L4,,\nb5,L5,pit-5,A\n,L6,pit-6,\n,,,\nb7,L7\nb8,L8,pit-8\n";
        let rows = read_rows(text).expect("rows");
        let expected = [
            "line 2 B 1: \"B 1\" is not an alias",
            "line 3 b2: the location id is empty",
            "line 4 b3: the column token does not contain a HighLevel token",
            "line 5 b4: has none of token",
            "line 6 b5: has more than one of token",
            "line 7 : has no alias, and no name",
            "line 9 b7: has none of token",
            "line 10 b8 L8 token",
        ];
        assert_eq!(rows.len(), expected.len(), "{rows:?}");
        for (row, start) in rows.iter().zip(expected) {
            assert!(row.starts_with(start), "{row}: {start}");
            assert!(!row.contains("secret-thing"), "{row}");
        }
    }

    #[test]
    fn a_header_that_is_none_is_refused() {
        for (text, part) in [
            (
                "alias,location,token\n",
                "\"location\" is not a column; did you mean location_id?",
            ),
            ("b1,L1,pit-1\n", "is not a column; there are alias"),
            ("alias,token\n", "the column location_id is missing"),
            ("alias,location_id,location id\n", "appears twice"),
            ("", "the column location_id is missing"),
        ] {
            let error = read_rows(text).expect_err(part);
            assert!(error.contains(part), "{error}");
        }
    }
}
