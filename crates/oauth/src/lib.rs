//! The protocol of an authorization server: metadata, clients, redirects, requests, PKCE. It has no state of its own
//! and no routes.

mod authorize;
mod challenge;
mod client_name;
mod document;
mod fetcher;
mod issuer;
pub mod metadata;
mod parameters;
mod pkce;
mod problem;
mod public_addresses;
mod redirect;
mod registration;
mod resource;
mod scope;
mod token;

pub use authorize::{AuthorizeRequest, ClientQuery, QueryProblem, redirect_with};
pub use challenge::challenge;
pub use document::{ClientDocument, DocumentProblem, DocumentUrl};
pub use fetcher::{DocumentFetcher, FetchedDocument, PinnedProblem};
pub use issuer::Issuer;
pub use problem::OauthProblem;
pub use redirect::{Destination, RedirectProblem, RedirectUri};
pub use registration::{AuthenticationMethod, Registration};
pub use resource::Resource;
pub use scope::AskedScope;
pub use token::{AskedGrant, ClientAuthentication, RevocationRequest, TokenRequest};
