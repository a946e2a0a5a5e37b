//! Texts and numbers that parsers refuse or change. They hide nothing of an answer and keep their digits.

use serde_json::json;

use super::{
    CALLS, COMPAT, LEGACY, LIST, PLAIN, READ, WRITE, arguments, before, called, only_text, parsed,
};

#[tokio::test]
async fn values_that_parsers_refuse_hide_nothing_of_an_answer() {
    let rows: [(&[u8], &str); 6] = [
        (br#""hi \ud83d""#, "hi \u{fffd}"),
        (br#""\ude00\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
        (b"\"one\ntwo\x01\"", "one\ntwo\u{1}"),
        (b"\"caf\xe9\"", "caf\u{fffd}"),
        (b"\"\xed\xa0\xbd\"", "\u{fffd}\u{fffd}\u{fffd}"),
        (b"\"x\",\"n\":1e400", "x"),
    ];
    for (text, expected) in rows {
        let body = [
            &b"\xef\xbb\xbf{\"contacts\":[{\"id\":\"c1\",\"contactName\":"[..],
            text,
            b",\"unreadCount\":3}]}",
        ];
        let (mut server, _highlevel) = before(200, None, body.concat()).await;
        for (path, pointer, output) in [
            (PLAIN, "/contacts/0/contactName", None),
            (LEGACY, "/data/contacts/0/contactName", None),
            (COMPAT, "/contacts/0/contactName", None),
            (
                CALLS,
                "/contacts/0/contactName",
                Some(json!({"fields": ["contactName"]})),
            ),
            (
                CALLS,
                "/contacts/0/contactName",
                Some(json!({"fields": ["*"]})),
            ),
        ] {
            let chosen = output.as_ref().map(|output| output["fields"][0].clone());
            let (text, is_error) = only_text(called(&mut server, path, LIST, output).await);
            assert!(!is_error, "{path}: {text}");
            let found = parsed(&text);
            assert_eq!(
                found.pointer(pointer),
                Some(&json!(expected)),
                "{path}: {text}"
            );
            assert_eq!(
                text.contains("unreadCount"),
                chosen != Some(json!("contactName")),
                "{text}"
            );
        }
        for format in ["table", "csv"] {
            let output = json!({"fields": ["id", "contactName"], "format": format});
            let (text, _) = only_text(called(&mut server, CALLS, LIST, Some(output)).await);
            let shown = expected.split(['\n', '\u{1}']).next().unwrap_or_default();
            assert!(
                text.starts_with("id") && text.contains(shown),
                "{format}: {text}"
            );
            assert!(!text.contains("unreadCount"), "{format}: {text}");
        }
    }
}

#[tokio::test]
async fn unusual_json_is_read_in_refusals_and_writes() {
    let refusal = b"{\"message\":\"Tag \xff hi \\ud83d\nis taken\",\"n\":1e400}";
    let (server, _highlevel) = before(400, None, &refusal[..]).await;
    let (text, is_error) = server.call(READ, arguments(READ)).await;
    assert!(is_error, "{text}");
    let message = parsed(&text)["message"].to_string();
    assert_eq!(
        message,
        json!("Tag \u{fffd} hi \u{fffd}\nis taken").to_string()
    );
    let (server, _highlevel) =
        before(201, None, br#"{"contact":{"name":"\ud83d","n":1e400}}"#).await;
    let (text, is_error) = server.call(WRITE, arguments(WRITE)).await;
    let expected = r#"{"contact":{"name":"\ufffd","n":1e400},"_location":{"id":"L0"}}"#;
    assert_eq!((text.as_str(), is_error), (expected, false));
}

/// Numbers as programs write them, of any length.
fn number(random: &mut fastrand::Rng) -> String {
    let digits = |random: &mut fastrand::Rng, most: usize| -> String {
        let count = random.usize(1..=most);
        let first = random.digit(10);
        let first = if first == '0' { '7' } else { first };
        std::iter::once(first)
            .chain(std::iter::repeat_with(|| random.digit(10)).take(count - 1))
            .collect()
    };
    let sign = if random.bool() { "-" } else { "" };
    let whole = digits(random, 30);
    match random.u8(0..5) {
        0 => format!("{sign}{whole}"),
        1 => format!("{sign}0.{}", digits(random, 30)),
        2 => format!("{sign}{whole}.{}0", digits(random, 6)),
        3 => format!("{sign}{}e-{}", digits(random, 3), random.u16(1..500)),
        _ => format!("{sign}{}.5e+{}", digits(random, 2), random.u16(1..500)),
    }
}

#[tokio::test]
async fn numbers_keep_their_digits_on_every_surface() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut numbers: Vec<String> = [
        "12345678901234567890123",
        "0.1000000000000000055",
        "1e-400",
        "1.0",
        "-0",
        "-0.0",
    ]
    .map(str::to_owned)
    .to_vec();
    numbers.extend(std::iter::repeat_with(|| number(&mut random)).take(400));
    let rows = numbers.iter().enumerate();
    let rows: Vec<String> = rows
        .map(|(index, number)| format!("{{\"id\":\"c{index}\",\"amount\":{number}}}"))
        .collect();
    let body = format!(
        "{{\"contacts\":[{}],\"total\":{}}}",
        rows.join(","),
        numbers[0]
    );
    let (mut server, _highlevel) = before(200, None, body).await;
    let check = |text: &str, what: &str, shown: &dyn Fn(usize, &str) -> String| {
        for (index, number) in numbers.iter().enumerate() {
            let shown = shown(index, number);
            assert!(text.contains(&shown), "{what}: no {shown} in {text}");
        }
    };
    for path in [PLAIN, LEGACY, COMPAT] {
        let (text, is_error) = only_text(called(&mut server, path, LIST, None).await);
        assert!(!is_error, "{text}");
        check(&text, path, &|index, number| {
            format!("{{\"id\":\"c{index}\",\"amount\":{number}}}")
        });
    }
    for (format, between, end) in [
        ("json", ",\"amount\":", "}"),
        ("table", "|", "\n"),
        ("csv", ",", "\r\n"),
    ] {
        let output = json!({"fields": ["id", "amount"], "format": format, "maxItems": 1000});
        let (text, is_error) = only_text(called(&mut server, CALLS, LIST, Some(output)).await);
        assert!(!is_error, "{text}");
        let quote = if format == "json" { "\"" } else { "" };
        // CSV for spreadsheets, while it is the format: a number is a number.
        check(&text, format, &|index, number| {
            format!("c{index}{quote}{between}{number}{end}")
        });
    }
    let output = json!({"fields": ["id"], "filter": {"field": "amount", "op": "=", "value": 1}});
    let (text, _) = only_text(called(&mut server, CALLS, LIST, Some(output)).await);
    assert!(
        parsed(&text)["contacts"].to_string().contains("\"c3\""),
        "{text}"
    );
}
