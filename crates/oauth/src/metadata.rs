//! The two documents by which a client discovers sign-in (RFC 9728 and RFC 8414).

use serde_json::{Value, json};

use super::Issuer;

/// The ways for clients to become known, in the metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registering {
    /// They register themselves, or have documents, or are made by the operator.
    Open,
    /// By the address of their document, or made by the operator.
    Documents,
    /// Only made by the operator.
    Static,
}

/// The description of the MCP endpoint at `path`. `resource` repeats the path byte for byte, with or without a slash at
/// its end, because some clients compare it with the address that they were given; at the root it is the bare origin.
pub fn protected_resource(issuer: &Issuer, path: &str) -> Value {
    let issuer = issuer.as_str();
    let path = if path == "/" { "" } else { path };
    json!({
        "resource": format!("{issuer}{path}"),
        "authorization_servers": [issuer],
        "scopes_supported": ["read", "write"],
        "bearer_methods_supported": ["header"],
    })
}

/// The abilities of the authorization server.
pub fn authorization_server(issuer: &Issuer, register: Registering) -> Value {
    let issuer = issuer.as_str();
    let mut metadata = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "revocation_endpoint": format!("{issuer}/revoke"),
        // `offline_access` is listed only here: some clients request refresh tokens only if they see it, and it is not
        // a scope of the resource.
        "scopes_supported": ["read", "write", "offline_access"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        // `none` first: LibreChat uses the first one, and claude.ai sends no document if `none` is missing.
        "token_endpoint_auth_methods_supported": METHODS,
        "revocation_endpoint_auth_methods_supported": METHODS,
        "code_challenge_methods_supported": ["S256"],
        "client_id_metadata_document_supported": register != Registering::Static,
        "authorization_response_iss_parameter_supported": true,
    });
    if register == Registering::Open {
        metadata["registration_endpoint"] = json!(format!("{issuer}/register"));
    }
    metadata
}

const METHODS: [&str; 3] = ["none", "client_secret_post", "client_secret_basic"];

#[cfg(test)]
mod tests {
    use super::*;

    fn issuer() -> Issuer {
        Issuer::parse("https://mcp.example.com").expect("an origin")
    }

    #[test]
    fn a_resource_is_named_as_it_was_asked_for() {
        for (path, resource) in [
            ("", "https://mcp.example.com"),
            ("/", "https://mcp.example.com"),
            ("/mcp", "https://mcp.example.com/mcp"),
            ("/mcp/", "https://mcp.example.com/mcp/"),
            (
                "/mcp/x/contacts%2Bcalendars",
                "https://mcp.example.com/mcp/x/contacts%2Bcalendars",
            ),
        ] {
            let metadata = protected_resource(&issuer(), path);
            assert_eq!(metadata["resource"], resource, "{path}");
            let servers = json!(["https://mcp.example.com"]);
            assert_eq!(metadata["authorization_servers"], servers);
            assert_eq!(metadata["scopes_supported"], json!(["read", "write"]));
        }
    }

    #[test]
    fn the_metadata_has_the_fields_that_clients_need() {
        for (register, endpoint, takes_documents) in [
            (
                Registering::Open,
                json!("https://mcp.example.com/register"),
                true,
            ),
            (Registering::Documents, Value::Null, true),
            (Registering::Static, Value::Null, false),
        ] {
            let metadata = authorization_server(&issuer(), register);
            assert_eq!(metadata["issuer"], "https://mcp.example.com");
            assert_eq!(
                metadata["authorization_endpoint"],
                "https://mcp.example.com/authorize"
            );
            assert_eq!(metadata["token_endpoint"], "https://mcp.example.com/token");
            assert_eq!(metadata["response_types_supported"], json!(["code"]));
            assert_eq!(
                metadata["code_challenge_methods_supported"],
                json!(["S256"])
            );
            assert_eq!(metadata["token_endpoint_auth_methods_supported"][0], "none");
            assert_eq!(
                metadata["scopes_supported"],
                json!(["read", "write", "offline_access"])
            );
            assert_eq!(
                metadata["authorization_response_iss_parameter_supported"],
                true
            );
            assert_eq!(
                metadata
                    .get("registration_endpoint")
                    .cloned()
                    .unwrap_or_default(),
                endpoint,
                "{register:?}"
            );
            assert_eq!(
                metadata["client_id_metadata_document_supported"],
                takes_documents
            );
        }
    }
}
