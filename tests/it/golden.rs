//! The reviewed code of two operations, compiled and called: the requests that it makes.

use serde_json::{Value, json};
use tool::{Arguments, Values};

use crate::catalog::prepare::RequestBase;
use generated::{HANDLERS, TOOLS};

#[expect(dead_code, reason = "the server uses the rest")]
#[allow(
    unreachable_pub,
    reason = "the generator knows nothing of who uses what it makes"
)]
mod generated {
    include!("../../codegen/tests/golden/two.rs.golden");
}

fn check(name: &str, body: Option<Value>, expected: (&str, &str)) {
    let base = RequestBase {
        base_url: "https://highlevel.test".to_owned(),
        http: test_support::server::client(),
    };
    let path = json!({"contactId": "a/b ü"});
    let arguments = Arguments {
        path: Values(path.as_object().cloned().expect("an object")),
        body: body.clone(),
        ..Arguments::default()
    };
    let tool = TOOLS.iter().find(|tool| tool.name == name).expect(name);
    let request = HANDLERS[tool.handler](&base, &arguments).expect("a request");
    assert_eq!(
        (request.method().as_str(), request.url().as_str()),
        expected
    );
    let sent = request.body().and_then(|body| body.as_bytes());
    let sent = sent.map(|sent| serde_json::from_slice::<Value>(sent).expect("JSON"));
    assert_eq!(sent, body);
}

#[test]
fn the_reviewed_code_makes_the_requests() {
    let contact = "https://highlevel.test/contacts/a%2Fb%20%C3%BC";
    check("contacts_get-contact", None, ("GET", contact));
    let tags = format!("{contact}/tags");
    let body = json!({"tags": ["a"]});
    check("contacts_add-tags", Some(body), ("POST", &tags));
}
