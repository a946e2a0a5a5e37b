//! Confirm tokens and idempotency keys, without a network.

use serde_json::{Map, json};

use super::{Answer, Confirmations, Once, Planned};
use crate::generated::TOOLS;
use crate::highlevel::Caller;
use crate::highlevel::caller::{Credential, LocationBinding, TenantId};
use crate::runtime::tool::Tool;

fn caller(location: &str) -> Caller {
    Caller {
        credential: Credential::parse("pit-a").expect("a token"),
        location: TenantId::parse(location).map(LocationBinding::Pin),
        company: None,
        place: None,
        home: None,
    }
}

fn tool(name: &str) -> &'static Tool {
    TOOLS.iter().find(|tool| tool.name == name).expect(name)
}

#[test]
fn a_confirm_token_fits_one_call_only() {
    let confirmations = Confirmations::new().expect("random numbers");
    let delete = tool("contacts_delete-contact");
    let call = |tool, id: &str, location: &str| {
        [Planned {
            tool,
            arguments: Map::from_iter([("contactId".to_owned(), json!(id))]),
            caller: caller(location),
            keyed: false,
            location: None,
        }]
    };
    let (own, other) = ([1; 32], [2; 32]);
    let token = confirmations.token(&call(delete, "a", "L0"), own);
    let fits = |tool, id: &str, who, location: &str| {
        confirmations.fits(&token, &call(tool, id, location), who)
    };
    assert!(fits(delete, "a", own, "L0"));
    assert!(!fits(delete, "b", own, "L0"));
    assert!(!fits(delete, "a", other, "L0"));
    assert!(!fits(delete, "a", own, "L1"));
    assert!(!fits(tool("contacts_delete-task"), "a", own, "L0"));
    let (until, tag) = token.split_once('.').expect("two parts");
    let later = format!("{}.{tag}", until.parse::<i64>().expect("a time") + 60);
    for forged in [later.as_str(), "", ".", "x.y", tag] {
        assert!(
            !confirmations.fits(forged, &call(delete, "a", "L0"), own),
            "{forged}"
        );
    }
}

#[test]
fn a_key_is_one_callers_for_one_operation() {
    let once = Once::default();
    let arguments = Map::from_iter([("contactId".to_owned(), json!("a"))]);
    let add = tool("contacts_add-tags");
    let claim = |who: u8, location: &str, tool| {
        once.claim("k", tool, &arguments, [who; 32], &caller(location))
    };
    let first = claim(1, "L0", add).expect("the first");
    let busy = claim(1, "L0", add).err().expect("under way");
    assert!(
        busy.is_error && busy.text.contains("under way"),
        "{}",
        busy.text
    );
    assert!(claim(2, "L0", add).is_ok() && claim(1, "L1", add).is_ok());
    assert!(claim(1, "L0", tool("contacts_remove-tags")).is_ok());
    first.settle(&Answer::text("{\"tags\":[]}".to_owned()));
    let known = claim(1, "L0", add).err().expect("known");
    assert!(
        !known.is_error && known.text.starts_with("{\"tags\":[],\"_repeated\""),
        "{}",
        known.text
    );
    // A client that leaves in mid-call leaves an unknown outcome, which is not tried again.
    drop(claim(3, "L0", add).expect("another"));
    let lost = claim(3, "L0", add).err().expect("lost");
    assert!(lost.text.contains("unknown_outcome"), "{}", lost.text);
}
