//! Media types of answers, and how each is handled.

/// The content of an answer, by its media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ContentKind {
    Json,
    /// HTML or XML, which a proxy answers in place of HighLevel.
    Page,
    Text,
    /// Audio, an image, a document.
    Binary,
    Unknown,
}

impl ContentKind {
    pub(super) fn of_media_type(media_type: &str) -> Self {
        let Some((kind, form)) = media_type.split_once('/') else {
            return Self::Unknown;
        };
        match (kind, form) {
            ("image", _) => Self::Binary,
            (_, "json") => Self::Json,
            (_, form) if form.ends_with("+json") => Self::Json,
            (_, "html" | "xml") => Self::Page,
            (_, form) if form.ends_with("+xml") => Self::Page,
            ("text", _) => Self::Text,
            _ => Self::Binary,
        }
    }
}

/// The media type of the header `content_type`, in lower case and without parameters; `documented` if it is missing, or
/// says only that there are bytes.
pub(super) fn media_type(content_type: Option<&str>, documented: Option<&str>) -> String {
    let told = content_type.unwrap_or_default();
    let told = told.split(';').next().unwrap_or_default();
    let told = told.trim().to_ascii_lowercase();
    match documented {
        Some(documented) if matches!(told.as_str(), "" | "application/octet-stream") => {
            documented.to_owned()
        }
        _ => told,
    }
}

/// The `Accept` header of a request whose answer has the media type `documented`. Errors are JSON.
pub(super) fn accept(documented: &str) -> String {
    format!("{documented}, application/json;q=0.9, */*;q=0.1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_media_type_decides_how_an_answer_is_read() {
        fn check(header: &str, documented: Option<&str>, named: &str, kind: ContentKind) {
            let found = media_type(Some(header), documented);
            assert_eq!(found, named, "{header}");
            assert_eq!(ContentKind::of_media_type(&found), kind, "{header}");
        }
        let wav = Some("audio/x-wav");
        check(
            "Audio/X-Wav; rate=8000",
            wav,
            "audio/x-wav",
            ContentKind::Binary,
        );
        check("", wav, "audio/x-wav", ContentKind::Binary);
        check(
            "application/octet-stream",
            wav,
            "audio/x-wav",
            ContentKind::Binary,
        );
        check("audio/mpeg", wav, "audio/mpeg", ContentKind::Binary);
        check("", None, "", ContentKind::Unknown);
        check(
            "application/json; charset=utf-8",
            wav,
            "application/json",
            ContentKind::Json,
        );
        check(
            "application/problem+json",
            None,
            "application/problem+json",
            ContentKind::Json,
        );
        check("text/html", None, "text/html", ContentKind::Page);
        check(
            "application/xhtml+xml",
            None,
            "application/xhtml+xml",
            ContentKind::Page,
        );
        check("text/csv", None, "text/csv", ContentKind::Text);
        check("image/svg+xml", None, "image/svg+xml", ContentKind::Binary);
        check(
            "application/pdf",
            None,
            "application/pdf",
            ContentKind::Binary,
        );
        check("nonsense", None, "nonsense", ContentKind::Unknown);
    }
}
