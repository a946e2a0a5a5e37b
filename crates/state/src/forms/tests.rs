//! Forms that return from the browser that got them, or from another.

use jiff::ToSpan;

use super::*;
use crate::store::for_tests;

const TEXT: &str = "{\"state\":\"a secret of the client\"}";
const HOUR: SignedDuration = SignedDuration::from_hours(1);

#[on_both]
fn a_form_opens_in_its_browser_in_every_process_until_it_expires() {
    let folder = for_tests::folder();
    let forms = || SealedForms::new(&for_tests::open(&folder)).expect("a key");
    let now = SteadyClock::now();
    let sealed = forms()
        .seal_at(TEXT, b"browser", HOUR, now)
        .expect("sealed");
    assert!(!sealed.contains("secret"));
    // A later process has the same key.
    let forms = forms();
    for (what, browser, after, expected) in [
        ("its browser", &b"browser"[..], 0, Ok(TEXT.to_owned())),
        ("in time", b"browser", 3_599, Ok(TEXT.to_owned())),
        ("too late", b"browser", 3_600, Err(FormProblem::Expired)),
        ("another browser", b"other", 0, Err(FormProblem::Foreign)),
        ("no browser", b"", 0, Err(FormProblem::Foreign)),
        (
            "another, too late",
            b"other",
            3_600,
            Err(FormProblem::Foreign),
        ),
    ] {
        let opened = forms.open_at(&sealed, browser, now + after.seconds());
        assert_eq!(opened, expected, "{what}");
    }
}

#[on_both]
fn changed_and_foreign_forms_do_not_open() {
    let store = for_tests::store();
    let forms = SealedForms::new(&store).expect("a key");
    let sealed = forms.seal(TEXT, b"browser", HOUR).expect("sealed");
    let broken = |what: &str, sealed: &str| {
        let opened = forms.open(sealed, b"browser");
        assert_eq!(opened, Err(FormProblem::Broken), "{what}");
    };
    let bytes = URL_SAFE_NO_PAD.decode(&sealed).expect("base64");
    for index in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[index] ^= 1;
        broken("changed", &URL_SAFE_NO_PAD.encode(&changed));
        broken("cut", &URL_SAFE_NO_PAD.encode(&bytes[..index]));
    }
    let other = SealedForms::new(&for_tests::store()).expect("a key");
    let foreign = other.seal(TEXT, b"browser", HOUR).expect("sealed");
    broken("another server's", &foreign);
    // A sealed row is not a form, even under the same key.
    let row = SealedAt {
        table: "credential",
        ..FORM
    };
    let row = forms.0.seal(row, &bytes).expect("sealed");
    broken("a row", &URL_SAFE_NO_PAD.encode(&row));
    broken("too long", &"A".repeat(MOST_SEALED_BYTES + 1));
    for text in ["", "!", "AAAA"] {
        broken(text, text);
    }
}

#[on_both]
fn a_form_carries_so_much() {
    let forms = SealedForms::new(&for_tests::store()).expect("a key");
    let most = "a".repeat(MOST_BYTES);
    let sealed = forms.seal(&most, b"b", HOUR).expect("sealed");
    assert_eq!(forms.open(&sealed, b"b"), Ok(most.clone()));
    let error = forms.seal(&format!("{most}a"), b"b", HOUR);
    let error = error.expect_err("too long").to_string();
    assert!(error.contains("longer than the 32768"), "{error}");
}
