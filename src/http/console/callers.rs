//! Callers by the names that people know them by.

use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::unavailable;
use crate::http::pages::clean::one_line;
use crate::http::pages::notice::PageProblem;
use state::grants::GrantHolder;

/// The client that calls, and for whom. `who`: as the audit has it, and so it stays where that is no more.
pub(super) async fn caller(sign_in: &SignIn, who: &str) -> Result<String, PageProblem> {
    let (kind, id) = who.split_once(':').unwrap_or((who, ""));
    let controls = sign_in.pipeline.controls();
    let key_name = |id: &str| {
        let key = controls.keys.valid(id)?;
        Some(format!("access key {}", one_line(&key.name, 64)))
    };
    let name = match kind {
        "key" => key_name(id),
        "credential" | "token" => Some("a program with a token or key of its own".to_owned()),
        "operator" => Some("this machine, or the settings' access key".to_owned()),
        "grant" => sign_in
            .grants
            .get(id)
            .await
            .map_err(unavailable)?
            .map(|grant| {
                let client = one_line(&grant.client_name, 60);
                let holder = match &grant.holder {
                    GrantHolder::Key(id) => key_name(id),
                    GrantHolder::Person(id) => {
                        let person = sign_in.people.find(id).ok().flatten();
                        person.map(|person| one_line(&person.name, 64))
                    }
                };
                match holder {
                    Some(holder) => format!("{client}, for {holder}"),
                    None => client,
                }
            }),
        _ => None,
    };
    Ok(name.unwrap_or_else(|| one_line(who, 80)))
}
