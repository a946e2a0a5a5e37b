//! Callers by the names that people know.

use std::collections::HashMap;

use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::unavailable;
use crate::http::pages::clean::one_line;
use crate::http::pages::notice::PageProblem;

/// Names that were looked up for this page: the same caller may appear often.
pub(super) struct CallerNames<'a> {
    sign_in: &'a SignIn,
    known: HashMap<String, String>,
}

impl<'a> CallerNames<'a> {
    pub(super) fn new(sign_in: &'a SignIn) -> Self {
        Self {
            sign_in,
            known: HashMap::new(),
        }
    }

    pub(super) async fn name(&mut self, who: &str) -> Result<String, PageProblem> {
        if let Some(name) = self.known.get(who) {
            return Ok(name.clone());
        }
        let name = caller(self.sign_in, who).await?;
        self.known.insert(who.to_owned(), name.clone());
        Ok(name)
    }
}

/// The calling client and its holder. `who`: the audit's name, which stays if there is no other.
pub(super) async fn caller(sign_in: &SignIn, who: &str) -> Result<String, PageProblem> {
    let controls = sign_in.pipeline.controls();
    let requester = controls.requester(who).await.map_err(unavailable)?;
    if let Some(name) = requester.describe(|name| one_line(name, 64)) {
        return Ok(name);
    }
    let kind = who.split_once(':').map_or(who, |(kind, _)| kind);
    let kind = match kind {
        "key" => "an access key that was revoked or has expired",
        "grant" => "a connection that has ended",
        "credential" | "token" => "a program with its own token or key",
        "others" => "all other callers together",
        "operator" => "this machine, or the settings' access key",
        _ => return Ok(one_line(who, 80)),
    };
    Ok(kind.to_owned())
}
