//! The servers that run on a state folder: each keeps a locked file there for as long as it lives.

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::CliError;
use super::version::version;
use crate::config::Config;
use state::SANDBOX;

const PREFIX: &str = "server-";

/// A server's description of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RunningServer {
    pub(super) pid: u32,
    pub(super) address: SocketAddr,
    pub(super) version: String,
    pub(super) since: Timestamp,
    /// The name of its store: host and port of its upstream, or the sandbox's.
    pub(super) store: String,
}

/// The file of this process, removed on drop.
pub(super) struct Announcement {
    /// An unlocked file means that its process is gone, whatever its number.
    _locked: File,
    path: PathBuf,
}

impl RunningServer {
    /// The servers on the state folder of the settings, the oldest first. Removes files of processes that are gone.
    pub(super) fn find(config: &Config) -> Result<Vec<Self>, CliError> {
        let Some(folder) = config.state.folder()? else {
            return Ok(Vec::new());
        };
        let Ok(entries) = fs::read_dir(folder) else {
            return Ok(Vec::new());
        };
        let ours = entries.flatten().map(|entry| entry.path());
        let mut found: Vec<Self> = ours.filter_map(|path| read(&path)).collect();
        found.sort_by_key(|server| server.since);
        Ok(found)
    }

    /// Where the server of these settings listens: a running one may have a `--listen` of its own.
    pub(super) fn listening(config: &Config) -> Result<SocketAddr, CliError> {
        let settings = config.server.listen;
        let ours = Self::find(config)?.into_iter();
        let ours = ours.filter(|server| server.is_on_store_of(config));
        let addresses: Vec<_> = ours.map(|server| server.address).collect();
        Ok(match addresses.first() {
            Some(first) if !addresses.contains(&settings) => *first,
            _ => settings,
        })
    }

    /// Says where it is, for a command that is about another store.
    pub(super) fn elsewhere(&self) -> String {
        format!(
            "A server for {} runs in the same folder, at {}",
            self.store, self.address
        )
    }

    /// The flag by which commands are about its store.
    pub(super) fn flag(&self) -> &'static str {
        match self.store.as_str() {
            SANDBOX => "--sandbox",
            _ => "--base-url",
        }
    }

    /// Whether it serves the upstream of the settings.
    pub(super) fn is_on_store_of(&self, config: &Config) -> bool {
        self.store == store_name(config)
    }
}

/// The address at which this machine reaches the listener: a listener on every address also has this machine's own.
pub(super) fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, listen.port())
}

impl Announcement {
    /// Announces that this process serves there. A failure is only a warning: clients are served all the same.
    pub(super) fn make(config: &Config, address: SocketAddr) -> Option<Self> {
        let folder = config.state.folder().ok().flatten()?;
        let server = RunningServer {
            pid: std::process::id(),
            address,
            version: version().to_owned(),
            since: Timestamp::now(),
            store: store_name(config),
        };
        match server.announce(&folder) {
            Ok(announcement) => Some(announcement),
            Err(error) => {
                tracing::warn!(%error, "`highlevel-mcp status` will not see this server");
                None
            }
        }
    }
}

impl RunningServer {
    fn announce(&self, folder: &Path) -> std::io::Result<Announcement> {
        let mut file = NamedTempFile::new_in(folder)?;
        // Locked before it gets its name, so that nobody takes it for a leftover.
        file.as_file().lock()?;
        file.write_all(serde_json::to_string(self)?.as_bytes())?;
        let path = folder.join(format!("{PREFIX}{}.json", self.pid));
        let locked = file.persist(&path).map_err(|error| error.error)?;
        Ok(Announcement {
            _locked: locked,
            path,
        })
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // A leftover is removed at the next look.
        let _ = fs::remove_file(&self.path);
    }
}

fn read(path: &Path) -> Option<RunningServer> {
    let name = path.file_name()?.to_str()?;
    if !name.starts_with(PREFIX) || !name.ends_with(".json") {
        return None;
    }
    let file = File::open(path).ok()?;
    match file.try_lock_shared() {
        Ok(()) => {
            let _ = fs::remove_file(path);
            None
        }
        Err(TryLockError::WouldBlock) => serde_json::from_str(&fs::read_to_string(path).ok()?).ok(),
        Err(TryLockError::Error(_)) => None,
    }
}

fn store_name(config: &Config) -> String {
    let name = config.state_name();
    name.unwrap_or_else(|| SANDBOX.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Flags;

    #[test]
    fn a_server_is_known_for_as_long_as_it_lives() {
        let folder = tempfile::tempdir().expect("a folder");
        let flags = Flags {
            state: Some(folder.path().display().to_string()),
            ..Flags::default()
        };
        let mut config = Config::from_sources(&flags, []).expect("settings");
        let find = |config: &Config| RunningServer::find(config).expect("read");
        let address: SocketAddr = "127.0.0.1:8100".parse().expect("an address");
        let announced = Announcement::make(&config, address).expect("a file");
        let path = announced.path.clone();
        let text = fs::read_to_string(&path).expect("text");
        let found = find(&config);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].pid, found[0].address),
            (std::process::id(), address)
        );
        assert!(found[0].is_on_store_of(&config));
        config.server.listen = "127.0.0.1:8101".parse().expect("an address");
        let listening = |config: &Config| RunningServer::listening(config).expect("read");
        assert_eq!(listening(&config), address);
        let second = RunningServer {
            pid: 0,
            address: config.server.listen,
            ..found[0].clone()
        };
        let second = second.announce(folder.path()).expect("a file");
        assert_eq!(listening(&config), config.server.listen);
        drop(second);
        config.upstream.simulated = true;
        assert_eq!(listening(&config), config.server.listen);
        assert!(!found[0].is_on_store_of(&config));
        // As after a killed process: the file stays, and its lock is gone.
        drop(announced);
        assert!(!path.exists() && find(&config).is_empty());
        fs::write(&path, text).expect("written");
        assert!(find(&config).is_empty() && !path.exists());
        config.state.folder = PathBuf::from("none");
        assert!(Announcement::make(&config, address).is_none() && find(&config).is_empty());
    }
}
