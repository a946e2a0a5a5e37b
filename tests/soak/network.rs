//! Free ports of this machine.

use std::net::{SocketAddr, TcpListener};

/// An address that nobody listens at.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}
