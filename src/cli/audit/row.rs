//! One call of the audit as commands show it: with names beside the recorded ids.

use comfy_table::Color;
use serde::Serialize;
use state::audit::{AuditRecord, RecordState};

use crate::catalog::TOOLS;
use crate::cli::CliError;
use crate::cli::known_names::KnownNames;
use crate::cli::output::{CardField, Column, TableRow, Text};
use crate::config::Config;

/// The confirmation by a person elsewhere.
const BY_PERSON: &str = "human";

#[derive(Serialize)]
pub(in crate::cli) struct AuditRow<'a> {
    #[serde(flatten)]
    record: &'a AuditRecord,
    who_name: Option<String>,
    location_name: Option<String>,
    /// The person who approved it, while the approval is stored.
    approved_by: Option<String>,
    sandbox: bool,
    #[serde(skip)]
    who: String,
    #[serde(skip)]
    place: Option<String>,
}

impl<'a> AuditRow<'a> {
    pub(in crate::cli) fn new(
        record: &'a AuditRecord,
        names: &KnownNames,
        config: &Config,
    ) -> Result<Self, CliError> {
        let call = &record.call;
        let (alias, id) = (call.alias.as_deref(), call.location.as_deref());
        let confirmed = call.confirmation.as_ref();
        let handle = confirmed
            .filter(|confirmed| confirmed.mode == BY_PERSON)
            .and_then(|confirmed| confirmed.by.as_deref());
        let decider = handle.map(|handle| names.decider(handle)).transpose()?;
        Ok(Self {
            record,
            who_name: names.caller(&call.who),
            location_name: names.location(alias, id).map(str::to_owned),
            approved_by: decider.flatten(),
            sandbox: config.upstream.simulated,
            who: names.caller_or_id(&call.who),
            place: names.location_or_id(alias, id).map(str::to_owned),
        })
    }

    /// All facts of the call.
    pub(super) fn fields(&self) -> Vec<CardField> {
        let record = self.record;
        let call = &record.call;
        let tool = TOOLS.iter().find(|tool| tool.name == call.tool);
        let with_id = |name: Option<&str>, id: Option<&str>| match (name, id) {
            (Some(name), Some(id)) if name != id => Text::from(format!("{name} ({id})")),
            (name, id) => Text::or_dash(name.or(id)),
        };
        let mut fields = vec![
            ("Id", call.id.as_str().into()),
            ("Began", format!("{:.3}", call.time).into()),
        ];
        if let Some(ended) = record.ended {
            fields.push(("Ended", format!("{ended:.3}").into()));
        }
        fields.push(("Outcome", self.outcome()));
        if let Some(status) = record.status {
            fields.push(("Status", format!("{status}, HighLevel's").into()));
        }
        if let Some(trace) = &record.trace_id {
            fields.push(("Trace", trace.as_str().into()));
        }
        if self.sandbox {
            fields.push(("Reached", "the sandbox, nobody else".into()));
        }
        let effect = match call.bulk {
            true => format!("{}, bulk", call.effect),
            false => call.effect.clone(),
        };
        let place = self.location_name.as_deref().or(self.place.as_deref());
        fields.extend([
            ("Tool", call.tool.as_str().into()),
            ("Does", Text::or_dash(tool.map(|tool| tool.title))),
            ("Effect", effect.into()),
            ("Location", with_id(place, call.location.as_deref())),
            ("Alias", Text::or_dash(call.alias.as_deref())),
            ("Who", with_id(self.who_name.as_deref(), Some(&call.who))),
            ("Client", Text::or_dash(call.client.as_deref())),
            ("Surface", call.surface.as_str().into()),
            ("Confirmed", self.confirmed()),
            (
                "Arguments",
                format!(
                    "{} bytes, SHA-256 {}",
                    call.arguments_bytes, call.arguments_sha256
                )
                .into(),
            ),
        ]);
        if let Some(arguments) = &call.arguments {
            fields.push(("In full", arguments.to_string().into()));
        }
        fields
    }

    fn outcome(&self) -> Text {
        let call = &self.record.call;
        match (self.record.state, self.record.outcome.as_deref()) {
            (RecordState::Begun, _) => Text::warning("no end"),
            (RecordState::Refused, _) => {
                let class = call.class.as_deref();
                let brief = match &call.rule {
                    Some(_) => "refused: rule".to_owned(),
                    None => format!("refused: {}", class.unwrap_or("-")),
                };
                // The text of a rule is enough.
                let why = call.rule.as_deref().or(class).unwrap_or("-");
                Text::brief(brief, format!("refused: {why}")).colored(Color::Red)
            }
            (RecordState::Done, Some("ok")) => Text::good("ok"),
            (RecordState::Done, outcome) => Text::bad(outcome.unwrap_or("-")),
        }
    }

    /// The person or thing that confirmed the call.
    fn confirmed(&self) -> Text {
        let Some(confirmed) = &self.record.call.confirmation else {
            return "-".into();
        };
        let by = self.approved_by.as_deref().or(confirmed.by.as_deref());
        match by {
            Some(by) if confirmed.mode == BY_PERSON => by.into(),
            Some(by) => format!("{} by {by}", confirmed.mode).into(),
            None => confirmed.mode.as_str().into(),
        }
    }
}

impl TableRow<7> for AuditRow<'_> {
    const COLUMNS: [Column; 7] = [
        Column::copied("Began"),
        Column::wrapped("Outcome").least(10),
        Column::shortened("Tool").least(24),
        Column::shortened("Location").least(9),
        Column::wrapped("Who").least(10),
        Column::shortened("Confirmed").least(9).rank(1),
        Column::started("Id"),
    ];

    fn cells(&self) -> [Text; 7] {
        let call = &self.record.call;
        let client = call.client.as_deref().into_iter();
        let who: Vec<&str> = [self.who.as_str()].into_iter().chain(client).collect();
        [
            Text::time(call.time),
            self.outcome(),
            call.tool.as_str().into(),
            Text::or_dash(self.place.as_deref()),
            who.join(" ").into(),
            self.confirmed(),
            call.id.as_str().into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::table::tests::check_fits;

    #[test]
    fn the_audit_fits_a_terminal() {
        let call = serde_json::json!({
            "id": "3f2a9c0112ab34cd", "time": "2026-11-28T04:48:54.123Z", "who": "grant:gra_0123456789abcdef",
            "client": "claude-code 2.1.197 (Anthropic)", "surface": "orchestrator",
            "tool": "social-media-posting_set-statistics-of-a-social-account-group", "effect": "write", "bulk": true,
            "location": "locBranch00000000001", "alias": "branch-number-forty-in-san-francisco",
            "arguments_sha256": "ab".repeat(32), "arguments_bytes": 12345,
            "confirmation": {"mode": "human", "by": "apr_rYFS3WxHyfsMCnpdo8Mo"}, "idempotency_key": false,
            "class": "refused", "rule": "[policies.front-desk-of-the-western-branches] allow toolset:contacts"
        });
        let record = AuditRecord {
            state: RecordState::Refused,
            call: serde_json::from_value(call).expect("a call"),
            ended: None,
            outcome: None,
            status: None,
            trace_id: None,
        };
        let row = AuditRow {
            record: &record,
            who_name: None,
            location_name: None,
            approved_by: Some("Ada Abbott-Featherstonehaugh".to_owned()),
            sandbox: false,
            who: "Claude Code of Anthropic, for Ada Abbott-Featherstonehaugh".to_owned(),
            place: record.call.alias.clone(),
        };
        check_fits(&AuditRow::COLUMNS, &[row.cells().into()]);
        let shown = row.fields();
        let value = |name| {
            let field = shown.iter().find(|(known, _)| *known == name);
            field.map(|(_, text)| text.whole())
        };
        assert_eq!(
            value("Outcome").as_deref(),
            Some("refused: [policies.front-desk-of-the-western-branches] allow toolset:contacts")
        );
        assert_eq!(
            value("Confirmed").as_deref(),
            Some("Ada Abbott-Featherstonehaugh")
        );
    }
}
