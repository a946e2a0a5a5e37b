//! A request to HighLevel on its way: what it is for, and the right to send it.

use std::net::IpAddr;

use reqwest::{Method, Request, Url};

use crate::budget::Budget;
use crate::upstream::{Caller, Failure, TenantId};
use tool::Tool;

/// Whose call it is, and what that caller may use.
#[derive(Clone, Debug)]
pub struct Sender {
    pub caller: Caller,
    /// The server knows the caller: by a key, or as its own. Refused tokens do not count against its address.
    pub known: bool,
    /// It may act with the agency's own token.
    pub agency: bool,
    /// Where the request came from, as far as that is known.
    pub address: Option<IpAddr>,
    /// Pays for the answer's bytes.
    pub budget: Budget,
}

/// What is called, and where.
#[derive(Clone)]
pub struct Target {
    /// As it is sent: the variant that the settings prefer.
    pub tool: &'static Tool,
    /// Value of the `Version` header.
    pub version: &'static str,
    /// The location it is for, where that is known.
    pub location: Option<TenantId>,
    /// The request itself names the location, so that HighLevel can judge the token by it.
    pub names_location: bool,
}

/// A request as it would leave, but for the token. `Transport::outgoing` makes it.
pub struct Outgoing {
    pub(super) target: Target,
    pub(super) sender: Sender,
    pub(super) request: Request,
}

/// The right to have requests sent. There is one, and `Transport::take_authority` gives it away once.
#[derive(Debug)]
pub struct Authority(());

/// Asked right before each attempt whether the request may still go.
pub type Recheck = Box<dyn Fn() -> Result<(), Failure> + Send + Sync>;

/// A request that may be sent, once.
pub struct SendPermit {
    outgoing: Box<Outgoing>,
    recheck: Recheck,
}

impl Target {
    /// The location that the request itself names.
    pub fn named_location(&self) -> Option<&TenantId> {
        self.location.as_ref().filter(|_| self.names_location)
    }
}

impl Outgoing {
    pub fn method(&self) -> &Method {
        self.request.method()
    }

    pub fn url(&self) -> &Url {
        self.request.url()
    }

    /// `None` where there is no body.
    pub fn body(&self) -> Option<&[u8]> {
        self.request.body().and_then(reqwest::Body::as_bytes)
    }
}

impl Authority {
    pub(super) fn new() -> Self {
        Self(())
    }

    /// Lets a request go. Whoever holds the authority has checked that it may, and `recheck` checks what may have
    /// changed until it leaves.
    pub fn allow(&self, outgoing: Box<Outgoing>, recheck: Recheck) -> SendPermit {
        SendPermit { outgoing, recheck }
    }
}

impl SendPermit {
    pub fn outgoing(&self) -> &Outgoing {
        &self.outgoing
    }

    pub(super) fn into_parts(self) -> (Box<Outgoing>, Recheck) {
        (self.outgoing, self.recheck)
    }
}
