//! To be deleted: the way in for callers that hold no authority yet.

use reqwest::Request;

use crate::budget::Budget;
use crate::highlevel::caller::Credential;
use crate::highlevel::permit::{Authority, Sender, Target};
use crate::highlevel::{Caller, Failure, Reply, TenantId, Transport};
use crate::runtime::tool::Tool;

/// To be deleted: one call as it goes to HighLevel.
pub struct Call<'a> {
    pub tool: &'static Tool,
    pub version: &'static str,
    pub caller: &'a Caller,
    pub location: Option<TenantId>,
    pub names_location: bool,
}

impl Call<'_> {
    fn target(&self) -> Target {
        Target {
            tool: self.tool,
            version: self.version,
            location: self.location.clone(),
            names_location: self.names_location,
        }
    }
}

impl Transport {
    /// To be deleted: `outgoing` does this.
    pub fn ready(&self, call: &Call<'_>, mut request: Request) -> Result<Request, Failure> {
        self.dress(&call.target(), &mut request)?;
        Ok(request)
    }

    /// To be deleted: `send` does this.
    pub async fn execute(&self, call: &Call<'_>, request: Request) -> Result<Reply, Failure> {
        let caller = call.caller.clone();
        let is_bound = caller.location.is_some();
        let sender = Sender {
            known: caller.is_servers_own(),
            agency: !is_bound || matches!(caller.credential, Credential::Token(_)),
            address: None,
            budget: Budget::default(),
            caller,
        };
        let outgoing = self.outgoing(call.target(), sender, request)?;
        self.send(Authority::new().allow(outgoing)).await
    }
}
