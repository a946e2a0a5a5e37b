//! What an authorization server says and understands: metadata, clients, redirects, requests, PKCE. It has no state of its
//! own and no routes.
