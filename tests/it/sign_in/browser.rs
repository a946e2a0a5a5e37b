//! A browser, as far as pages without script need one: it keeps cookies, sends forms, and sends the headers about its
//! origin.

use std::collections::BTreeMap;
use std::sync::Mutex;

use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;

use super::{HOST, URL};
use test_support::server::{TestServer, client};

/// The settings with which people can sign in.
pub(crate) const SIGN_IN: [(&str, &str); 3] = [
    ("HIGHLEVEL_MCP_OAUTH_URL", URL),
    ("HIGHLEVEL_MCP_BRAND_NAME", "Bright Agency"),
    ("HIGHLEVEL_MCP_BRAND_CRM_NAME", "BrightCRM"),
];

/// Where somebody arrives who has used an invitation: a build with passkeys offers to make one.
pub(crate) const AFTER_JOINING: &str = match cfg!(feature = "passkeys") {
    true => "/console/passkeys",
    false => "/console",
};

pub(crate) struct Browser {
    http: reqwest::Client,
    url: String,
    cookies: Mutex<BTreeMap<String, String>>,
}

/// A browser's answer.
pub(crate) struct Page {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Browser {
    pub(crate) fn new(server: &TestServer) -> Self {
        // It installs the TLS provider.
        drop(client());
        let http = reqwest::Client::builder().redirect(Policy::none());
        Self {
            http: http.build().expect("a client"),
            url: server.url.clone(),
            cookies: Mutex::default(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Page {
        self.send(self.http.get(format!("{}{path}", self.url)))
            .await
    }

    /// Sends a form from one of our pages.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.post_from(path, fields, &[("origin", URL)]).await
    }

    /// The same with the headers by which a browser names the page that sent it.
    pub(crate) async fn post_from(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Page {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let mut request = self
            .http
            .post(format!("{}{path}", self.url))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.finish());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request).await
    }

    /// Sends the form of `page`, with its token.
    pub(crate) async fn submit(&self, path: &str, page: &Page, fields: &[(&str, &str)]) -> Page {
        let token = page.token();
        let fields = [&[("form", token.as_str())], fields].concat();
        self.post(path, &fields).await
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.lock().expect("cookies").get(name).cloned()
    }

    pub(crate) fn keep(&self, name: &str, value: &str) {
        let mut kept = self.cookies.lock().expect("cookies");
        kept.insert(name.to_owned(), value.to_owned());
    }

    pub(crate) fn forget(&self, name: &str) {
        self.cookies.lock().expect("cookies").remove(name);
    }

    /// The same browser in front of another process.
    pub(crate) fn before(self, server: &TestServer) -> Self {
        Self {
            url: server.url.clone(),
            ..self
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Page {
        let cookies = self.cookies.lock().expect("cookies").clone();
        let cookies = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let cookies = cookies.collect::<Vec<_>>().join("; ");
        let mut request = request.header("host", HOST);
        if !cookies.is_empty() {
            request = request.header("cookie", cookies);
        }
        let reply = request.send().await.expect("a reply");
        {
            let mut kept = self.cookies.lock().expect("cookies");
            for line in reply.headers().get_all("set-cookie") {
                let line = line.to_str().expect("text");
                let pair = line.split(';').next().expect("a pair");
                let (name, value) = pair.split_once('=').expect("a pair");
                match line.contains("Max-Age=0") {
                    true => kept.remove(name),
                    false => kept.insert(name.to_owned(), value.to_owned()),
                };
            }
        }
        Page {
            status: reply.status().as_u16(),
            headers: reply.headers().clone(),
            text: reply.text().await.expect("text"),
        }
    }
}

impl Page {
    /// Empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("text"))
    }

    /// The address of the redirect.
    pub(crate) fn location(&self) -> &str {
        assert_eq!(self.status, 303, "{}", self.text);
        self.header("location")
    }

    /// The sealed token in its first form.
    pub(crate) fn token(&self) -> String {
        let value = self.text.split("name=\"form\" value=\"").nth(1);
        let value = value.and_then(|rest| rest.split('"').next());
        value
            .unwrap_or_else(|| panic!("no form in {}", self.text))
            .to_owned()
    }

    /// The address of its first link that begins with `start`.
    pub(crate) fn link(&self, start: &str) -> Option<&str> {
        let links = self.text.split("href=\"").skip(1);
        let mut links = links.filter_map(|rest| rest.split('"').next());
        links.find(|link| link.starts_with(start))
    }

    /// The text of its heading.
    pub(crate) fn heading(&self) -> &str {
        let rest = self.text.split("<h1>").nth(1).unwrap_or_default();
        rest.split("</h1>").next().unwrap_or_default()
    }

    /// One value in the query of its redirect.
    pub(crate) fn answer(&self, name: &str) -> Option<String> {
        let url = url::Url::parse(self.location()).expect("an address");
        let mut pairs = url.query_pairs();
        let found = pairs.find(|(one, _)| one == name);
        found.map(|(_, value)| value.into_owned())
    }
}
