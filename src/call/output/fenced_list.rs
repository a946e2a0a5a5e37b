//! Fences in a list: around what other people wrote in its rows, and in what stands beside them.

use serde_json::{Map, Value};

use super::Format;
use super::brief::EVERY_ROW;
use crate::call::Fences;
use tool::Tool;

/// Fences in `rows` and in what stands `beside` them. Rows of a table or of CSV have none: their cells stand as they are,
/// but for what nobody sees.
pub(super) fn fence_list(
    fences: &Fences,
    tool: &Tool,
    format: Format,
    (rows, beside): (&mut [Value], &mut Map<String, Value>),
) {
    for row in rows {
        match format {
            Format::Json => fences.enclose(tool.paging.rows, row),
            Format::Table | Format::Csv => fences.spell_out(tool.paging.rows, row),
        }
    }
    for (name, value) in beside {
        match name.as_str() {
            EVERY_ROW => fences.enclose(tool.paging.rows, value),
            name => fences.enclose(&[name], value),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tables_spell_out_and_have_no_fences() {
        let tools = crate::catalog::TOOLS;
        let name = "conversations_get-messages";
        let tool = tools.iter().find(|tool| tool.name == name).expect("a tool");
        for (format, is_fenced) in [
            (Format::Json, true),
            (Format::Table, false),
            (Format::Csv, false),
        ] {
            let fences = Fences::around(tool).expect("fences");
            let mut rows = [json!({"body": "see\u{200b} this"})];
            let mut beside = Map::from_iter([(EVERY_ROW.to_owned(), json!({"body": "one two"}))]);
            fence_list(&fences, tool, format, (&mut rows, &mut beside));
            let (opening, closing) = fences.marks();
            let cell = "see\\u{200b} this";
            let expected = match is_fenced {
                true => format!("{opening}{cell}{closing}"),
                false => cell.to_owned(),
            };
            assert_eq!(rows, [json!({"body": expected})]);
            assert_eq!(
                beside[EVERY_ROW],
                json!({"body": format!("{opening}one two{closing}")})
            );
        }
    }
}
