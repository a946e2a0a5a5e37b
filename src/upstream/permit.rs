//! A request to HighLevel and its target, and the right to send it.

use std::net::IpAddr;

use reqwest::{Method, Request, Url};

use crate::budget::Budget;
use crate::upstream::{Caller, Failure, TenantId};
use tool::Tool;

/// The caller of a request, and its limits.
#[derive(Clone, Debug)]
pub struct Sender {
    pub caller: Caller,
    /// The server knows the caller: by a key, or as its own. Refused tokens do not count against its address.
    pub known: bool,
    /// It may use the agency's own token.
    pub agency: bool,
    /// The address of the caller, if known.
    pub address: Option<IpAddr>,
    /// The budget for the answer's bytes.
    pub budget: Budget,
}

/// The operation and its location.
#[derive(Clone)]
pub struct Target {
    /// The variant that is sent, which the settings prefer.
    pub tool: &'static Tool,
    /// Value of the `Version` header.
    pub version: &'static str,
    /// The location of the request, if known.
    pub location: Option<TenantId>,
    /// The request itself names the location, so HighLevel can judge the token by it.
    pub names_location: bool,
}

/// A complete request except for the token. `Transport::outgoing` makes it.
pub struct Outgoing {
    pub(super) target: Target,
    pub(super) sender: Sender,
    pub(super) request: Request,
}

/// The right to have requests sent. There is one, which `Transport::take_authority` gives away once.
#[derive(Debug)]
pub struct Authority(());

/// Called right before each attempt, to check whether the request may still be sent.
pub type Recheck = Box<dyn Fn() -> Result<(), Failure> + Send + Sync>;

/// A request that may be sent once.
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

    /// `None` if there is no body.
    pub fn body(&self) -> Option<&[u8]> {
        self.request.body().and_then(reqwest::Body::as_bytes)
    }
}

impl Authority {
    pub(super) fn new() -> Self {
        Self(())
    }

    /// Permits a request. The holder of the authority has checked it; `recheck` checks what may change before it is
    /// sent.
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
