//! Every argument of every tool that names a company must name the caller's.

use serde_json::{Value, json};

use super::*;
use tool::Role;

/// A value that names `company` at the end of `steps`.
fn nested(steps: &[&str], company: &str) -> Value {
    match steps.split_first() {
        None => json!(company),
        Some((&"[]", rest)) => json!([nested(rest, company)]),
        Some((name, rest)) => json!({*name: nested(rest, company)}),
    }
}

/// The number of arguments that refuse another company than the caller's.
fn refusing(caller: &Caller) -> (usize, usize) {
    let tools = crate::catalog::TOOLS;
    let checker = Checker::new(tools, Vec::new());
    let (mut all, mut refused) = (0, 0);
    for tool in tools {
        let is_company = |role: Role| matches!(role, Role::Company(_));
        let arguments = tool.arguments.iter().filter(|one| is_company(one.role));
        let inner = tool.inner_tenants.iter().filter(|one| is_company(one.role));
        let steps = arguments
            .map(|one| std::slice::from_ref(&one.name))
            .chain(inner.map(|one| one.steps));
        for steps in steps {
            all += 1;
            let tells = |company: &str| {
                let given = nested(steps, company);
                let given = given.as_object().cloned().expect("an object");
                let problem = checker
                    .check(tool, given, caller, false, &LocalZone::Utc)
                    .err();
                problem.is_some_and(|problem| problem.sentence().contains("bound to company"))
            };
            assert!(!tells("company"), "{}: its own", tool.name);
            refused += usize::from(tells("other"));
        }
    }
    (all, refused)
}

#[test]
fn another_company_is_refused_in_every_argument() {
    let id = |id| TenantId::parse(id).expect("an id");
    let caller = Caller {
        credential: Credential::parse("pit-1").expect("a token"),
        location: Some(LocationBinding::Pin(id("L0"))),
        company: Some(id("company")),
        configured: None,
        home: None,
    };
    let (all, refused) = refusing(&caller);
    assert!(all >= 41, "{all}");
    assert_eq!(refused, all, "pinned");
    let servers_own = Caller {
        location: None,
        home: Some(id("L0")),
        ..caller.clone()
    };
    assert_eq!(refusing(&servers_own), (all, all), "of the settings");
    let free = Caller {
        location: Some(LocationBinding::Default(id("L0"))),
        ..caller.clone()
    };
    assert_eq!(refusing(&free), (all, 0), "a client's own default");
    let unnamed = Caller {
        company: None,
        ..caller
    };
    assert_eq!(refusing(&unnamed), (all, 0), "without a company");
}
