//! Documents for clients whose own cannot be fetched: Cloudflare answers 403 to addresses of data centres
//! (anthropics/claude-ai-mcp#650, anthropics/claude-code#84263).

/// Client id and text.
pub(super) const BUILT_IN: [(&str, &str); 2] = [
    (
        "https://claude.ai/oauth/mcp-oauth-client-metadata",
        r#"{
            "client_id": "https://claude.ai/oauth/mcp-oauth-client-metadata",
            "client_name": "Claude",
            "redirect_uris": [
                "https://claude.ai/api/mcp/auth_callback",
                "https://claude.com/api/mcp/auth_callback"
            ],
            "token_endpoint_auth_method": "none"
        }"#,
    ),
    (
        "https://claude.ai/oauth/claude-code-client-metadata",
        r#"{
            "client_id": "https://claude.ai/oauth/claude-code-client-metadata",
            "client_name": "Claude Code",
            "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"],
            "token_endpoint_auth_method": "none"
        }"#,
    ),
];
