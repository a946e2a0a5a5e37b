//! Contacts in workflows and campaigns. The workflows' own actions are not simulated.

use serde_json::{Map, Value, json};

use super::records::of_location;
use crate::call::SandboxCall;
use crate::refusal::Refusal;
use crate::state::Records;

/// Members of a contact with the ids; [E] a search finds contacts by the first.
const WORKFLOWS: &str = "~activeWorkflows";
const CAMPAIGNS: &str = "~campaigns";

pub(super) fn answer(state: &mut Records, call: &SandboxCall) -> Option<Result<Value, Refusal>> {
    let workflow = ("workflow", call.path("workflowId"), WORKFLOWS);
    let campaign = ("campaign", call.path("campaignId"), CAMPAIGNS);
    Some(match call.operation.key.as_str() {
        "POST /contacts/{contactId}/workflow/{workflowId}" => enrol(state, call, workflow, true),
        "DELETE /contacts/{contactId}/workflow/{workflowId}" => enrol(state, call, workflow, false),
        "POST /contacts/{contactId}/campaigns/{campaignId}" => enrol(state, call, campaign, true),
        "DELETE /contacts/{contactId}/campaigns/{campaignId}" => {
            enrol(state, call, campaign, false)
        }
        "DELETE /contacts/{contactId}/campaigns/removeAll" => leave_campaigns(state, call),
        "GET /campaigns/" => Ok(campaigns(state, call)),
        _ => return None,
    })
}

/// [I] a draft workflow or campaign accepts nobody; removing a contact that is not in it is allowed.
fn enrol(
    state: &mut Records,
    call: &SandboxCall,
    (kind, id, member): (&'static str, &str, &str),
    add: bool,
) -> Result<Value, Refusal> {
    let contact = call.record(state, "contact", call.path("contactId"))?;
    let mut ids: Vec<String> = serde_json::from_value(contact[member].clone()).unwrap_or_default();
    let record = call.record(state, kind, id)?;
    if add && record["status"] != "published" {
        return Err(Refusal::new(400, format!("The {kind} is not published")));
    }
    ids.retain(|one| one != id);
    if add {
        ids.push(id.to_owned());
    }
    keep(state, call, member, &ids);
    Ok(json!({"succeded": true}))
}

fn leave_campaigns(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    call.record(state, "contact", call.path("contactId"))?;
    keep(state, call, CAMPAIGNS, &[]);
    Ok(json!({"succeded": true}))
}

fn keep(state: &mut Records, call: &SandboxCall, member: &str, ids: &[String]) {
    let changes = Map::from_iter([(member.to_owned(), json!(ids))]);
    state.change("contact", call.path("contactId"), changes);
}

fn campaigns(state: &Records, call: &SandboxCall) -> Value {
    let found = of_location(state, "campaign", call.location());
    let found = found.filter(|one| {
        call.query("status")
            .is_none_or(|wanted| one["status"] == *wanted)
    });
    json!({"campaigns": found.collect::<Vec<_>>()})
}
