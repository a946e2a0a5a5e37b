//! The result of a try, in words.

use super::*;
use crate::http::pages::tests::pages;

/// The fullest possible page.
pub(in crate::http::pages) fn fullest<'a>(state: TryView<'a>, request: &'a str) -> TryPage<'a> {
    TryPage {
        id: "AAAAAAAAAAAAAAAAAAAAAA",
        tool: "contacts_get-contact",
        title: "Get contact",
        location: "Acme Dental of a long name & sons",
        rules: "Read only",
        request,
        asked: Some("GET /contacts/c1"),
        state,
        token: "s",
    }
}

fn answered<'a>(text: &'a str, marks: Option<(&'a str, &'a str)>) -> TryView<'a> {
    TryView::Answered(AnswerView {
        outcome: "HighLevel answered. It worked.",
        is_error: false,
        text,
        is_cut: true,
        marks,
        file: None,
    })
}

#[test]
fn other_peoples_words_have_another_background_and_are_escaped() {
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let page = fullest(answered(text, Some(("<123456>", "</123456>"))), "{}");
        let html = page.fragment(&pages().brand).into_string();
        assert!(html.contains(expected), "{expected} is not in {html}");
        assert!(html.contains("BrightCRM answered. It worked."), "{html}");
    }
    check(
        "a <123456>b <i></123456> c",
        ">a <mark>b &lt;i&gt;</mark> c</pre>",
    );
    check("a <123456>b", ">a <mark>b</mark></pre>");
    check(
        "<654321>b</654321>",
        ">&lt;654321&gt;b&lt;/654321&gt;</pre>",
    );
}

#[test]
fn the_page_asks_again_until_there_is_an_answer() {
    let html = |state| fullest(state, "{}").fragment(&pages().brand).into_string();
    let under_way = html(TryView::UnderWay);
    assert!(
        under_way.contains("hx-get=\"/console/tries/AAAAAAAAAAAAAAAAAAAAAA/state\""),
        "{under_way}"
    );
    for state in [TryView::Cancelled, answered("{}", None)] {
        assert!(!html(state).contains("hx-"));
    }
}

#[test]
fn a_text_is_cut_by_its_escaped_length() {
    assert_eq!(beginning("abc", 3), "abc");
    assert_eq!(beginning("abcd", 3), "abc");
    assert_eq!(beginning("\"a", 6), "\"");
    assert_eq!(beginning("é€", 4), "é");
    let quotes = "\"".repeat(100_000);
    let (answer, request) = (
        beginning(&quotes, LONGEST_ANSWER),
        beginning(&quotes, LONGEST_REQUEST),
    );
    let page = fullest(answered(answer, None), request);
    let html = page.page(&pages().brand).body.into_string();
    assert!(html.len() < 30 << 10, "{} bytes", html.len());
}
