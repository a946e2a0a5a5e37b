//! The two cookies: one for a person who is signed in, and one that binds the pages of a flow to their browser.

use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};
use state::sessions::ProofKind;

/// A prefix with which browsers accept the cookie only from this host, over https, and for the whole site.
const HOST_PREFIX: &str = "__Host-";

const SESSION: &str = "hl_session";
const FLOW: &str = "hl_flow";

/// Longest value that is parsed.
const LONGEST: usize = 128;

/// The cookies of a request.
pub(in crate::http) struct Browser {
    /// The session of a person who is signed in.
    pub session: Option<SecretString>,
    /// The secret to which the pages of a flow are bound.
    pub flow: Option<SecretString>,
    is_https: bool,
}

impl Browser {
    /// `is_https`: whether pages are reached by https. Over http on this machine a cookie cannot be `Secure`.
    pub(in crate::http) fn new(headers: &HeaderMap, is_https: bool) -> Self {
        // A second cookie of the same name may be another site's: without the prefix a neighbouring site can set one.
        let mut jar = CookieJar::new();
        let mut is_clear = true;
        let lines = headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|line| line.to_str().ok());
        for cookie in lines.flat_map(|line| Cookie::split_parse(line.to_owned()).flatten()) {
            is_clear &= jar.get(cookie.name()).is_none();
            jar = jar.add(cookie.into_owned());
        }
        let find = |name: &str| {
            let cookie = jar.get(&full_name(name, is_https))?;
            let value = Some(cookie.value()).filter(|value| value.len() <= LONGEST && is_clear);
            value.map(SecretString::from)
        };
        Self {
            session: find(SESSION),
            flow: find(FLOW),
            is_https,
        }
    }

    /// The secret to which this browser's pages are bound; a new one if it has none. `None`: the system gives no random
    /// numbers.
    pub(in crate::http) fn flow_or_new(&self) -> Option<SecretString> {
        if let Some(flow) = &self.flow {
            return Some(flow.clone());
        }
        let mut bytes = [0_u8; 32];
        SystemRandom::new().fill(&mut bytes).ok()?;
        Some(URL_SAFE_NO_PAD.encode(bytes).into())
    }

    pub(in crate::http) fn keep_flow(&self, response: &mut Response, flow: &SecretString) {
        if self.flow.is_none() {
            self.set(response, FLOW, flow.expose_secret());
        }
    }

    /// A session that a passkey began survives the browser's window, because phones close windows on their own.
    pub(in crate::http) fn keep_session(
        &self,
        response: &mut Response,
        session: &SecretString,
        proof: ProofKind,
    ) {
        let mut cookie = self.cookie(SESSION, session.expose_secret()).to_string();
        if proof == ProofKind::Passkey {
            cookie += &format!("; Max-Age={}", proof.lasts().as_secs());
        }
        add(response, &cookie);
    }

    pub(in crate::http) fn forget_session(&self, response: &mut Response) {
        let mut cookie = self.cookie(SESSION, "");
        cookie.make_removal();
        add(response, &cookie.to_string());
    }

    fn set(&self, response: &mut Response, name: &str, value: &str) {
        add(response, &self.cookie(name, value).to_string());
    }

    /// Valid until the browser is closed. The session's own lifetime is in its row.
    fn cookie(&self, name: &str, value: &str) -> Cookie<'static> {
        Cookie::build((full_name(name, self.is_https), value.to_owned()))
            .path("/")
            .http_only(true)
            .secure(self.is_https)
            // A client's link to the consent page comes from another site, and must carry the session.
            .same_site(SameSite::Lax)
            .build()
    }
}

fn full_name(name: &str, is_https: bool) -> String {
    let prefix = if is_https { HOST_PREFIX } else { "" };
    format!("{prefix}{name}")
}

fn add(response: &mut Response, cookie: &str) {
    if let Ok(line) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(SET_COOKIE, line);
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    fn browser(cookies: &[&str], is_https: bool) -> Browser {
        let mut headers = HeaderMap::new();
        for line in cookies {
            headers.append(COOKIE, line.parse().expect("a value"));
        }
        Browser::new(&headers, is_https)
    }

    #[test]
    fn cookies_are_found_by_their_full_names_alone() {
        fn check(cookies: &[&str], is_https: bool, expected: Option<&str>) {
            let found = browser(cookies, is_https).session;
            let found = found.as_ref().map(ExposeSecret::expose_secret);
            assert_eq!(found, expected, "{cookies:?}");
        }
        check(&["__Host-hl_session=hls_a"], true, Some("hls_a"));
        check(&["a=b; __Host-hl_session=hls_a"], true, Some("hls_a"));
        check(&["hl_session=hls_a"], true, None);
        check(&["hl_session=hls_a"], false, Some("hls_a"));
        check(&["__Host-hl_session=a"], false, None);
        check(&["hl_session=a; hl_session=b"], false, None);
        check(&["hl_session=a", "hl_session=b"], false, None);
        check(&[&format!("hl_session={}", "a".repeat(200))], false, None);
        check(&[], true, None);
    }

    #[test]
    fn a_session_is_kept_from_scripts_and_other_sites() {
        fn check(is_https: bool, proof: ProofKind, expected: &str) {
            let mut response = ().into_response();
            browser(&[], is_https).keep_session(&mut response, &"hls_a".into(), proof);
            let line = response.headers()[SET_COOKIE].to_str().expect("text");
            assert_eq!(line, expected);
        }
        check(
            true,
            ProofKind::Given,
            "__Host-hl_session=hls_a; HttpOnly; SameSite=Lax; Secure; Path=/",
        );
        check(
            false,
            ProofKind::Given,
            "hl_session=hls_a; HttpOnly; SameSite=Lax; Path=/",
        );
        check(
            true,
            ProofKind::Passkey,
            "__Host-hl_session=hls_a; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=2592000",
        );
    }

    #[test]
    fn a_browser_keeps_the_cookies_of_its_pages() {
        let known = browser(&["hl_flow=abc"], false);
        let flow = known.flow_or_new().expect("a value");
        assert_eq!(flow.expose_secret(), "abc");
        let mut response = ().into_response();
        known.keep_flow(&mut response, &flow);
        assert!(!response.headers().contains_key(SET_COOKIE));
        let new = browser(&[], false);
        let [one, other] = [&new, &new].map(|new| {
            new.flow_or_new()
                .expect("a value")
                .expose_secret()
                .to_owned()
        });
        assert_ne!(one, other);
        assert_eq!(one.len(), 43);
    }
}
