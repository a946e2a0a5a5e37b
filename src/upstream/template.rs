//! Compares the URL to be sent with the path template that it was made from.
//!
//! Encoding does not stop a value from changing the path: an id of `..` in `/contacts/{id}/tasks` gives `/tasks`, even
//! fully encoded (`%2E%2E` is a dot segment to the URL parser), and an empty id turns get and delete into the list
//! endpoint.

use percent_encoding::percent_decode_str;
use reqwest::Url;

/// Fails with the difference if `url` is not `template` below `base`.
pub(super) fn check(base: &Url, template: &str, url: &Url) -> Result<(), String> {
    let origin = (url.scheme(), url.host_str(), url.port_or_known_default());
    if origin != (base.scheme(), base.host_str(), base.port_or_known_default()) {
        return Err("it goes to another host than HighLevel's".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("it carries a user or a fragment".to_owned());
    }
    let path = url
        .path()
        .strip_prefix(base.path().trim_end_matches('/'))
        .unwrap_or_default();
    let (wanted, segments): (Vec<&str>, Vec<&str>) =
        (template.split('/').collect(), path.split('/').collect());
    if wanted.len() != segments.len() {
        return Err(format!("its path is not of the form {template}"));
    }
    for (wanted, segment) in wanted.iter().zip(&segments) {
        let fits = if wanted.starts_with('{') {
            is_one_segment(segment)
        } else {
            wanted == segment
        };
        if !fits {
            return Err(format!("its path is not of the form {template}"));
        }
    }
    Ok(())
}

fn is_one_segment(segment: &str) -> bool {
    let decoded = percent_decode_str(segment).decode_utf8_lossy();
    !matches!(decoded.trim(), "" | "." | "..") && !decoded.contains(['/', '\\', '?', '#'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_url(url: &str, fits: bool) {
        let base = Url::parse("https://h.example/base").expect("a URL");
        let url = Url::parse(url).expect("a URL");
        let checked = check(&base, "/contacts/{id}/tasks", &url);
        assert_eq!(checked.is_ok(), fits, "{url}: {checked:?}");
    }

    /// Every path of every imported document, with values that try to become another path.
    #[test]
    fn no_value_makes_one_imported_path_another() {
        let values = [
            "..", ".", "%2e%2e", "..%2f..", "a/b", "a\\b", "a?b", "a#b", "", " ", "a;b", "@x",
            "\u{e9}", "\r\n", "\0",
        ];
        let base = Url::parse("https://h.example/base").expect("a URL");
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/highlevel");
        let (mut templates, mut passed) = (0, 0);
        let folders = [folder.to_owned(), format!("{folder}/v3")];
        let files = folders
            .iter()
            .flat_map(|folder| std::fs::read_dir(folder).expect("documents"))
            .map(|file| file.expect("a file").path())
            .filter(|path| path.is_file());
        for file in files {
            let text = std::fs::read_to_string(file).expect("text");
            let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            for template in document["paths"].as_object().expect("paths").keys() {
                templates += 1;
                for hole in template
                    .split('/')
                    .filter(|segment| segment.starts_with('{'))
                {
                    for value in values {
                        let encoded = percent_encoding::utf8_percent_encode(
                            value,
                            percent_encoding::NON_ALPHANUMERIC,
                        );
                        for written in [value.to_owned(), encoded.to_string()] {
                            // It begins the query, which is allowed; progenitor encodes values.
                            if written.contains('?') {
                                continue;
                            }
                            let path = template.replace(hole, &written).replace(['{', '}'], "");
                            let Ok(url) = Url::parse(&format!("{base}{path}")) else {
                                continue;
                            };
                            if check(&base, template, &url).is_err() {
                                continue;
                            }
                            passed += 1;
                            let at = template.split('/').position(|segment| segment == hole);
                            let path = url.path().strip_prefix("/base").expect("the base");
                            let segment = path
                                .split('/')
                                .nth(at.expect("the hole"))
                                .expect("a segment");
                            let decoded = percent_decode_str(segment).decode_utf8_lossy();
                            let same = percent_decode_str(&written).decode_utf8_lossy();
                            // The URL parser drops line ends. The rest is a value of one segment.
                            assert_eq!(
                                decoded,
                                same.replace(['\r', '\n'], ""),
                                "{template} {written:?}"
                            );
                            assert!(url.query().is_none() && url.fragment().is_none(), "{url}");
                        }
                    }
                }
            }
        }
        assert!(templates > 400 && passed > 400, "{templates} {passed}");
    }

    #[test]
    fn only_the_template_passes() {
        check_url("https://h.example/base/contacts/c1/tasks", true);
        check_url("https://h.example/base/contacts/c1/tasks?limit=1", true);
        check_url("https://h.example/base/contacts/c1/tasks/", false);
        check_url("https://h.example/contacts/c1/tasks", false);
        check_url("https://h.example/base/tasks", false);
        check_url("https://h.example/base/contacts//tasks", false);
        check_url("https://h.example/base/contacts/../tasks", false);
        check_url("https://h.example/base/contacts/%2e%2E/tasks", false);
        check_url("https://h.example/base/contacts/a%2Fb/tasks", false);
        check_url("https://h.example/base/contacts/a%5Cb/tasks", false);
        check_url("https://h.example/base/contacts/%20/tasks", false);
        check_url("https://h.example/base/contacts/a%3Fb/tasks", false);
        check_url("https://h.example/base/contacts/c1/notes", false);
        check_url("https://h.example/base/contacts/c1/tasks#x", false);
        check_url("https://user@h.example/base/contacts/c1/tasks", false);
        check_url("https://other.example/base/contacts/c1/tasks", false);
        check_url("http://h.example/base/contacts/c1/tasks", false);
        check_url("https://h.example:444/base/contacts/c1/tasks", false);
    }
}
