//! Signing in by address alone: what exists at the host of `oauth.url`, and nowhere else.

pub(super) mod front_page;
pub(super) mod hosts;
pub(super) mod metadata;
