//! HighLevel's answers about the locations in which people installed the operator's app.

use serde_json::{Map, Value, json};

use super::{Answer, CallContext, ConsentSource, Pipeline};
use crate::catalog;
use crate::upstream::caller::Credential;
use crate::upstream::company::Company;
use crate::upstream::{Caller, LocationBinding, TenantId};
use state::vault::{InstalledLocation, MOST_LOCATIONS};

const LIST: &str = "/oauth/installedLocations";
const GET: &str = "/locations/{locationId}";

/// Rows of one page. HighLevel may give fewer.
const ROWS: usize = 100;

/// A list that never ends is cut here: more locations than are connected.
const MOST_PAGES: i64 = MOST_LOCATIONS / 100;

impl Pipeline {
    /// The locations in which `company` has the app, in HighLevel's order. Fails with a sentence.
    pub async fn installed_locations(
        &self,
        company: &Company,
    ) -> Result<Vec<InstalledLocation>, String> {
        let account = Caller {
            credential: Credential::Company(company.clone()),
            location: None,
            company: Some(company.id().clone()),
            configured: None,
            home: None,
        };
        let context = CallContext::local(account);
        let mut found: Vec<InstalledLocation> = Vec::new();
        let mut skip = 0;
        for _ in 0..MOST_PAGES {
            let arguments = [
                ("companyId", json!(company.id().as_str())),
                ("appId", json!(company.app_id())),
                ("isInstalled", json!(true)),
                ("limit", json!(ROWS.to_string())),
                ("skip", json!(skip.to_string())),
            ];
            let page = self.read_installed(LIST, &arguments, &context).await?;
            let rows = page["locations"].as_array();
            let rows = rows.map_or(&[][..], Vec::as_slice);
            let known = found.len();
            skip += rows.len();
            // HighLevel lists every location of the company, whatever was asked for.
            for location in rows.iter().filter(|row| row["isInstalled"] != false) {
                let Some(id) = location["_id"].as_str().and_then(TenantId::parse) else {
                    continue;
                };
                if found.iter().all(|one| one.location != id.as_str()) {
                    let name = location["name"].as_str().unwrap_or_default();
                    found.push(InstalledLocation {
                        location: id.as_str().to_owned(),
                        name: name.to_owned(),
                        zone: None,
                        comes_back: false,
                    });
                }
            }
            let is_last = page["count"]
                .as_u64()
                .is_some_and(|count| usize::try_from(count).is_ok_and(|count| skip >= count));
            if rows.is_empty() || is_last || (found.len() == known && rows.len() < ROWS) {
                break;
            }
        }
        Ok(found)
    }

    /// Name and time zone of a location by its install's own token. Fails with a sentence.
    pub async fn installed_location(
        &self,
        credential: Credential,
        location: &TenantId,
    ) -> Result<InstalledLocation, String> {
        let account = Caller {
            credential,
            location: Some(LocationBinding::Pin(location.clone())),
            company: None,
            configured: None,
            home: Some(location.clone()),
        };
        let context = CallContext::local(account);
        let arguments = [("locationId", json!(location.as_str()))];
        let answer = self.read_installed(GET, &arguments, &context).await?;
        let shown = answer.get("location").unwrap_or(&answer);
        let text = |name: &str| shown[name].as_str().map(str::to_owned);
        Ok(InstalledLocation {
            location: location.as_str().to_owned(),
            name: text("name").unwrap_or_default(),
            zone: text("timezone"),
            comes_back: true,
        })
    }

    /// One read by the usual way. No rule is about it: the server learns what the app was installed for.
    async fn read_installed(
        &self,
        path: &str,
        arguments: &[(&str, Value)],
        context: &CallContext,
    ) -> Result<Value, String> {
        let tool = catalog::get(path)
            .ok_or_else(|| format!("this server was built without GET {path}"))?;
        let named = arguments.iter();
        let arguments = named.map(|(name, value)| ((*name).to_owned(), value.clone()));
        let sentence = |answer: Answer| answer.sentence();
        let facts = self
            .find_account(
                tool,
                Map::from_iter(arguments),
                None,
                context,
                &self.snapshot(),
            )
            .map_err(sentence)?;
        let reply = Box::pin(self.read(facts, ConsentSource::ServerProbe, context))
            .await
            .map_err(sentence)?;
        serde_json::from_str(&reply.body).map_err(|_| "HighLevel's answer is not JSON".to_owned())
    }
}
