//! The address that a client gets: from the settings, or checked if a person gave it.

use std::net::IpAddr;

use state::vault::Vault;
use url::{Host, Url};

use super::ClientAccess;
use super::notes::DOCKER_HOST;
use crate::call::{has_store, open_store};
use crate::cli::running_server::{RunningServer, reachable};
use crate::cli::{CliError, reach};
use crate::config::Config;
use crate::surfaces::Endpoint;
use tool::nearest;

/// The path of MCP on every server of ours.
const MCP: &str = "/mcp";

/// The usual address of the server of these settings. Clients that send a token and clients that sign in use different
/// ones.
pub(super) fn usual_url(config: &Config, access: &ClientAccess) -> Result<String, CliError> {
    let oauth = &config.oauth;
    let scheme = oauth.url.split("://").next().unwrap_or_default();
    Ok(match access {
        ClientAccess::SignIn if oauth.is_on() => format!("{}{MCP}", oauth.url),
        ClientAccess::Token(_) if oauth.is_on() && !oauth.header_host.is_empty() => {
            format!("{scheme}://{}{MCP}", oauth.header_host)
        }
        _ => format!(
            "http://{}{MCP}",
            reachable(RunningServer::listening(config)?)
        ),
    })
}

/// Whether an address names another host than this machine's own, as a container's name for its host does.
pub(super) fn is_elsewhere(text: &str) -> bool {
    with_scheme(text.trim()).is_ok_and(|url| !is_here(&url))
}

/// `text` as an address of MCP, with its scheme and `/mcp`. Fails if it cannot be one.
pub(super) fn check(text: &str, config: &Config) -> Result<String, CliError> {
    let wrong = |why: &str| {
        CliError(format!(
            "--url {text} {why}; give the server's address, such as https://mcp.example.com/mcp"
        ))
    };
    let text = text.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        return Err(wrong(&format!(
            "is a port without a host. For a server on this machine give localhost:{text}"
        )));
    }
    let mut url = with_scheme(text).map_err(|_| wrong("is not an address"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("does not begin with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(
            "contains a user name or password, which clients do not send",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("has a query or fragment (? or #). Leave it out"));
    }
    if url.path() == "/" {
        url.set_path(MCP);
    }
    let path = url.path().to_owned();
    let tools = match path.split_once(MCP) {
        Some((_, rest)) if rest.is_empty() || rest.starts_with('/') => rest,
        _ => return Err(wrong(&format!("has the path {path}, but MCP is at {MCP}"))),
    };
    check_path(tools.trim_matches('/'), &url, config)?;
    Ok(url.into())
}

fn with_scheme(text: &str) -> Result<Url, url::ParseError> {
    match text.contains("://") {
        true => Url::parse(text),
        false => Url::parse(&format!("{}://{text}", scheme_of(text))),
    }
}

/// Like browsers, takes https for another machine's address without a scheme.
fn scheme_of(text: &str) -> &'static str {
    let host = text.split(['/', ':']).next().unwrap_or_default();
    let is_near = ["localhost", DOCKER_HOST].contains(&host)
        || text.starts_with('[')
        || host.parse::<IpAddr>().is_ok();
    if is_near { "http" } else { "https" }
}

/// Checks the path after `/mcp`: `l/<alias>`, and the tools.
fn check_path(path: &str, url: &Url, config: &Config) -> Result<(), CliError> {
    let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    let surface = match path.strip_prefix("l/") {
        None => path.as_ref(),
        Some(named) => {
            let (alias, surface) = named.split_once('/').unwrap_or((named, ""));
            if is_own(url, config) {
                check_alias(alias, config)?;
            }
            surface
        }
    };
    Endpoint::parse(surface).map(drop).map_err(|error| {
        let error = error.to_string();
        let what = error.split(';').next().unwrap_or_default();
        let toolsets = crate::catalog::TOOLS
            .iter()
            .flat_map(|tool| tool.toolsets)
            .map(|name| (*name, *name));
        let near = nearest(surface, toolsets);
        let near = near.map_or_else(
            || "`highlevel-mcp tools list` has all tools".to_owned(),
            |near| format!("did you mean {near}?"),
        );
        CliError(format!("--url {url}: {what}; {near}"))
    })
}

/// Whether it is the server of these settings.
fn is_own(url: &Url, config: &Config) -> bool {
    let authority = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    };
    let oauth = &config.oauth;
    let is_public =
        oauth.is_on() && [oauth.host(), oauth.header_host.as_str()].contains(&authority.as_str());
    is_public || is_here(url) && url.port_or_known_default() == Some(config.server.listen.port())
}

fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Fails if neither the settings nor the store know the location.
fn check_alias(alias: &str, config: &Config) -> Result<(), CliError> {
    let own = config.locations.keys().cloned();
    let mut known: Vec<String> = own.collect();
    if has_store(config)? {
        let connected = Vault::new(&open_store(config)?).list().wait()?;
        known.extend(connected.into_iter().map(|location| location.alias));
    }
    if known.iter().any(|one| one == alias) {
        return Ok(());
    }
    Err(reach::no_location(alias, known.iter().map(String::as_str)))
}
