//! The pages for trying tools, at their fullest.

use super::fields::tool_fields;
use super::result::tests::fullest;
use super::result::{AskedView, LONGEST_REQUEST, TryView};
use super::*;
use crate::catalog;
use crate::http::pages::tests::pages;
use tool::Tool;

pub(in crate::http::pages) fn every_page() -> Vec<(&'static str, Page)> {
    let brand = pages().brand;
    let row = || ToolRow {
        name: "calendars_get-calendar-free-slots",
        title: "Get the free slots of a calendar",
        effect: "Looks something up",
        line: "Lists the free slots of a calendar between two times.".to_owned(),
    };
    let search = SearchPage {
        query: "free slots",
        found: &(0..10).map(|_| row()).collect::<Vec<_>>(),
        hint: Some("No operation seems to do this; the nearest by their words follow."),
    };
    let location = |number| {
        let name = format!("Acme Dental of a long name & sons {number}");
        (format!("location-{number}"), name)
    };
    let locations: Vec<_> = (0..MOST_CHOICES).map(location).collect();
    let size = |tool: &&Tool| {
        tool_fields(tool, "C")
            .iter()
            .map(|field| field.markup().0.len())
            .sum::<usize>()
    };
    let largest = catalog::TOOLS.iter().max_by_key(size).expect("a tool");
    let tool = ToolPage {
        name: largest.name,
        title: largest.title,
        description: "It does much.",
        effect: "Changes a record",
        locations: &locations,
        has_more_locations: false,
        location: "location-7",
        rules: &[(
            "read-only",
            "Read only".to_owned(),
            "It looks things up.".to_owned(),
        )],
        chosen_rules: "read-only",
        fields: &tool_fields(largest, &brand.crm_name),
        problem: Some("Nothing was sent. Correct the marked fields."),
        id: "AAAAAAAAAAAAAAAAAAAAAA",
        token: "s",
    };
    let preview = "x".repeat(LONGEST_REQUEST);
    let asked = TryView::Asked(AskedView {
        about: &preview,
        preview: &preview,
        approve_at: None,
    });
    vec![
        ("tools", search.page()),
        ("tool", tool.page()),
        ("asked", fullest(asked, &preview).page(&brand)),
        (
            "under way",
            fullest(TryView::UnderWay, &preview).page(&brand),
        ),
    ]
}
