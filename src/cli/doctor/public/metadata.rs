//! Compares the documents that clients read before they sign in, as the strictest clients do.

use serde_json::Value;

use super::PublicExamination;

const RESOURCE: &str = "/.well-known/oauth-protected-resource";
const ISSUER: &str = "/.well-known/oauth-authorization-server";

impl PublicExamination {
    /// The documents that name each address and its authorization server.
    pub(super) async fn resources(&mut self) {
        let path = self.server.endpoint.path().trim_end_matches('/').to_owned();
        for (subject, below) in [
            ("resource (claude.ai)", path.clone()),
            // Gemini CLI compares with the address that its user gave, including the slash.
            ("resource with a slash (Gemini CLI)", format!("{path}/")),
            ("resource of the bare address (Python)", String::new()),
        ] {
            let Some((_, document)) = self.document(subject, &format!("{RESOURCE}{below}")).await
            else {
                continue;
            };
            let due = self.server.path(&below);
            let resource = text(&document, "resource");
            let issuer = document["authorization_servers"][0].as_str();
            let issuer = issuer.unwrap_or_default();
            if resource != due {
                self.fault(
                    subject,
                    format!(
                        "names itself {resource:?} instead of {due:?}. Clients compare every character. Set oauth.url \
                         to {:?}",
                        self.server.origin
                    ),
                );
            } else if issuer != self.server.origin {
                let what = self.foreign_issuer(issuer);
                self.fault(subject, what);
            } else {
                self.ok(subject, "says its own address".to_owned());
            }
        }
    }

    /// The document that says how to sign in.
    pub(super) async fn issuer(&mut self) {
        const SUBJECT: &str = "sign-in (all clients)";
        let Some((first, document)) = self.document(SUBJECT, ISSUER).await else {
            return;
        };
        if let Some(fault) = self.fault_of_issuer(&document) {
            self.fault(SUBJECT, fault);
            return;
        }
        self.ok(SUBJECT, "says its own address".to_owned());
        self.registering(&document);
        // Clients that ignore the 401 look here.
        let path = self.server.endpoint.path().trim_end_matches('/').to_owned();
        for other in [
            "/.well-known/openid-configuration".to_owned(),
            format!("{ISSUER}{path}"),
            format!("{path}{ISSUER}"),
        ] {
            let subject = format!("sign-in at {other}");
            let Some((answer, _)) = self.document(&subject, &other).await else {
                continue;
            };
            if answer.body == first.body {
                self.ok(&subject, "is the same".to_owned());
            } else {
                self.fault(
                    &subject,
                    format!(
                        "differs from {ISSUER}. It is another server's document, or an old one from a cache. Pass the \
                         path on to this server, and empty the proxy's cache"
                    ),
                );
            }
        }
    }

    fn fault_of_issuer(&self, document: &Value) -> Option<String> {
        let issuer = text(document, "issuer");
        if issuer != self.server.origin {
            return Some(self.foreign_issuer(&issuer));
        }
        for name in [
            "authorization_endpoint",
            "token_endpoint",
            "revocation_endpoint",
        ] {
            let endpoint = text(document, name);
            if !endpoint.starts_with(&format!("{issuer}/")) {
                return Some(format!(
                    "its {name} is {endpoint:?}, which does not belong to this server"
                ));
            }
        }
        let has_pkce = lists(document, "code_challenge_methods_supported", "S256");
        (!has_pkce).then(|| {
            "does not offer PKCE (S256), which every client needs. Something changes the document on the way".to_owned()
        })
    }

    fn foreign_issuer(&self, issuer: &str) -> String {
        format!(
            "names the issuer {issuer:?} instead of {:?}. Clients compare every character. Set oauth.url to that \
             address, without a slash at the end",
            self.server.origin
        )
    }

    /// The ways for clients to become known. Claude uses documents if the metadata says that they are accepted and that
    /// no secret is needed; else it registers itself.
    fn registering(&mut self, document: &Value) {
        const SUBJECT: &str = "how clients become known";
        let documents = document["client_id_metadata_document_supported"] == true;
        let no_secret = lists(document, "token_endpoint_auth_methods_supported", "none");
        let registers = !text(document, "registration_endpoint").is_empty();
        self.registers = registers;
        match (documents && no_secret, registers) {
            (true, true) => self.ok(SUBJECT, "by a document, or they register".to_owned()),
            (true, false) => self.warning(
                SUBJECT,
                "only by a document. Cursor, n8n, Gemini CLI, opencode and mcp-remote can sign in only if \
                 oauth.register is \"open\", or if `highlevel-mcp clients add` adds a client for them"
                    .to_owned(),
            ),
            (false, true) => self.fault(
                SUBJECT,
                "the document lacks client_id_metadata_document_supported, or \"none\" among its methods. Something \
                 changes it on the way, such as an old copy in a cache"
                    .to_owned(),
            ),
            (false, false) => self.warning(
                SUBJECT,
                "only clients that the operator added may sign in (oauth.register is \"static\")".to_owned(),
            ),
        }
    }
}

fn text(document: &Value, name: &str) -> String {
    document[name].as_str().unwrap_or_default().to_owned()
}

fn lists(document: &Value, name: &str, value: &str) -> bool {
    let list = document[name].as_array();
    list.is_some_and(|list| list.iter().any(|one| one == value))
}
