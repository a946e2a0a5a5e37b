//! Explains why a port is not available: which program has it, and what to do.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::CliError;

/// The kernel's code for a listening socket.
const LISTENS: &str = "0A";

/// This program's own commands that listen: they may be ended without harm to others.
const OURS: [&str; 2] = ["serve", "sandbox"];

/// A listening program, as far as the system shows it to this user.
struct PortHolder {
    pid: u32,
    /// The name of its file; for one of ours, the command.
    name: String,
    is_ours: bool,
}

/// The error for a user who wanted to listen on `listen`.
pub(super) fn cannot_listen(listen: SocketAddr, error: &io::Error) -> CliError {
    let other = match listen.port().checked_add(1) {
        Some(port) => format!("--listen {}", SocketAddr::new(listen.ip(), port)),
        None => "another --listen".to_owned(),
    };
    if error.kind() != ErrorKind::AddrInUse {
        return CliError(format!(
            "cannot listen on {listen}: {error}. Give another --listen"
        ));
    }
    CliError(match PortHolder::find(listen) {
        Some(PortHolder {
            pid,
            name,
            is_ours: true,
        }) => {
            format!(
                "{listen} is used by {name} (pid {pid}). End it with `kill {pid}`, or give {other}"
            )
        }
        Some(PortHolder { pid, name, .. }) => {
            format!("{listen} is used by {name} (pid {pid}). Give {other}")
        }
        None => format!("{listen} is used by another program. Give {other}"),
    })
}

impl PortHolder {
    /// Linux shows it in /proc, for programs of the same user. Other systems have no such files.
    fn find(listen: SocketAddr) -> Option<Self> {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
        let inodes: Vec<String> = tables
            .iter()
            .filter_map(|table| fs::read_to_string(table).ok())
            .flat_map(|table| listening_inodes(&table, listen))
            .map(|inode| format!("socket:[{inode}]"))
            .collect();
        let processes = fs::read_dir("/proc").ok()?;
        processes.flatten().find_map(|process| {
            let pid = process.file_name().to_str()?.parse().ok()?;
            let folder = process.path();
            holds_any(&folder, &inodes).then(|| Self::new(pid, &folder))
        })
    }

    /// From the command line only which of our commands it is: others' may contain secrets.
    fn new(pid: u32, folder: &Path) -> Self {
        let command = fs::read(folder.join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command);
        let mut words = command.split('\0');
        let program = words.next().map(PathBuf::from).unwrap_or_default();
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        let is_ours = name == "highlevel-mcp";
        let verb = words.find(|word| OURS.contains(word)).filter(|_| is_ours);
        Self {
            pid,
            name: match verb {
                Some(verb) => format!("{name} {verb}"),
                None => name.into_owned(),
            },
            is_ours,
        }
    }
}

/// The inodes of sockets that keep others from listening on `listen`.
fn listening_inodes(table: &str, listen: SocketAddr) -> Vec<String> {
    let lines = table.lines().skip(1);
    lines
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace().skip(1);
            let (local, state) = (words.next()?, words.nth(1)?);
            let inode = words.nth(5)?;
            let (address, port) = local.split_once(':')?;
            let address = address_in_hex(address)?;
            let port = u16::from_str_radix(port, 16).ok()?;
            let collides = address == listen.ip().to_canonical()
                || address.is_unspecified()
                || listen.ip().is_unspecified();
            (state == LISTENS && port == listen.port() && collides).then(|| inode.to_owned())
        })
        .collect()
}

/// The kernel prints 32-bit words in the machine's byte order.
fn address_in_hex(text: &str) -> Option<IpAddr> {
    let mut bytes = Vec::new();
    for at in (0..text.len()).step_by(8) {
        let word = u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes.as_slice()) {
        return Some(Ipv4Addr::from(bytes).into());
    }
    let bytes = <[u8; 16]>::try_from(bytes.as_slice()).ok()?;
    Some(IpAddr::from(Ipv6Addr::from(bytes)).to_canonical())
}

fn holds_any(folder: &Path, inodes: &[String]) -> bool {
    let Ok(descriptors) = fs::read_dir(folder.join("fd")) else {
        return false;
    };
    descriptors.flatten().any(|descriptor| {
        let target = fs::read_link(descriptor.path()).unwrap_or_default();
        inodes.iter().any(|inode| target == Path::new(inode))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
        0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 101 1 0 100 0\n\
        1: 00000000:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 102 1 0 100 0\n\
        2: 0100007F:1F90 0100007F:9999 01 00000000:00000000 00:00000000 00000000  1000        0 103 1 0 100 0\n\
        3: 00000000000000000000000001000000:1F92 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 104 1 0 100 0\n\
        4: short\n";

    #[test]
    fn the_listening_program_is_found_by_address_and_port() {
        if cfg!(target_endian = "big") {
            return;
        }
        for (listen, inodes) in [
            ("127.0.0.1:8080", &["101"][..]),
            ("0.0.0.0:8080", &["101"]),
            ("127.0.0.2:8080", &[]),
            ("127.0.0.2:8081", &["102"]),
            ("[::1]:8082", &["104"]),
            ("127.0.0.1:8083", &[]),
        ] {
            let listen = listen.parse().expect("an address");
            assert_eq!(listening_inodes(TABLE, listen), inodes, "{listen}");
        }
    }
}
