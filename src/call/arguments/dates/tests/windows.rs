//! Windows of time: their ends, and the units that their fields take.

use serde_json::{Value, json};

use super::{EVENTS, LOS_ANGELES, LocalZone, SLOTS, ok, refused, unknown, zone};

#[test]
fn epochs_go_out_in_the_unit_of_the_field() {
    let window = |from: Value, to: Value| json!({"startTime": from, "endTime": to});
    for (from, to) in [
        (json!(1_796_083_200), json!("1796169600")),
        (json!(1_796_083_200_000_i64), json!("1796169600000")),
        (json!("1796083200000000"), json!(1_796_169_600_000_000_i64)),
        (
            json!("2026-12-01T00:00:00Z"),
            json!("2026-12-01T16:00:00-08:00"),
        ),
    ] {
        let expected = window(json!("1796083200000"), json!("1796169600000"));
        ok(EVENTS, window(from, to), LocalZone::Unasked, expected);
    }
    let all = window(json!(0), json!(1_796_083_200));
    ok(
        EVENTS,
        all,
        LocalZone::Unasked,
        window(json!("0"), json!("1796083200000")),
    );
    refused(
        EVENTS,
        window(json!(5), json!(6)),
        LocalZone::Unasked,
        "startTime must be a date such as 2026-01-31T09:00:00",
    );
    let send = "conversations_send-a-new-message";
    let at = |at: Value| json!({"type": "SMS", "contactId": "c1", "message": "hi", "scheduledTimestamp": at});
    for given in [
        json!(1_796_083_200),
        json!("1796083200123"),
        json!("2026-11-30T16:00:00[America/Los_Angeles]"),
    ] {
        ok(
            send,
            at(given),
            LocalZone::Unasked,
            json!({"scheduledTimestamp": 1_796_083_200}),
        );
    }
    refused(
        send,
        at(json!("2026-12-01T09:00:00")),
        unknown(),
        "scheduledTimestamp depends on the location's time zone",
    );
}

#[test]
fn a_day_that_ends_a_window_is_over_at_its_end() {
    let days = |from: &str, to: &str| json!({"calendarId": "c", "startDate": from, "endDate": to});
    let expected = json!({"startDate": 1_796_112_000_000_i64, "endDate": 1_796_198_399_999_i64});
    ok(
        SLOTS,
        days("2026-12-01", "2026-12-01"),
        zone(LOS_ANGELES),
        expected.clone(),
    );
    // The operation's own zone comes first, and no other is looked up.
    let mut own = days("2026-12-01", "2026-12-01");
    own["timezone"] = json!(LOS_ANGELES);
    ok(SLOTS, own.clone(), LocalZone::Unasked, expected.clone());
    ok(SLOTS, own.clone(), zone("Asia/Tokyo"), expected.clone());
    own["timezone"] = json!("Mars/Base");
    refused(
        SLOTS,
        own,
        zone("Asia/Tokyo"),
        "startDate depends on timezone, and \"Mars/Base\" is not a known time zone",
    );
    // A day of 25 hours, and one whose end is given.
    ok(
        SLOTS,
        days("2026-11-01", "2026-11-01"),
        zone(LOS_ANGELES),
        json!({"startDate": 1_793_516_400_000_i64, "endDate": 1_793_606_399_999_i64}),
    );
    ok(
        SLOTS,
        days("2026-12-01", "2026-12-02T00:00:00"),
        zone(LOS_ANGELES),
        json!({"endDate": 1_796_198_400_000_i64}),
    );
    let coupon = json!({"startDate": "2026-12-01", "endDate": "2026-12-31", "code": "X", "name": "x", "discountType": "percentage", "discountValue": 5});
    ok(
        "payments_create-coupon",
        coupon,
        zone(LOS_ANGELES),
        json!({"startDate": "2026-12-01T00:00:00-08:00", "endDate": "2026-12-31T23:59:59.999-08:00"}),
    );
    for (from, to) in [
        ("2026-12-02", "2026-12-01"),
        ("2026-12-01T10:00:00", "2026-12-01T09:00:00"),
        ("1796198400", "2026-12-01"),
    ] {
        refused(
            SLOTS,
            days(from, to),
            zone(LOS_ANGELES),
            "is after endDate (",
        );
    }
    ok(
        SLOTS,
        days("2026-12-01T10:00:00Z", "2026-12-01T10:00:00Z"),
        LocalZone::Unasked,
        json!({"endDate": 1_796_119_200_000_i64}),
    );
    let invoices =
        |from: &str, to: &str| json!({"startAt": from, "endAt": to, "limit": "10", "offset": "0"});
    ok(
        "invoices_list-invoices",
        invoices("2026-12-01", "2026-12-01"),
        LocalZone::Unasked,
        json!({"startAt": "2026-12-01", "endAt": "2026-12-01"}),
    );
    refused(
        "invoices_list-invoices",
        invoices("2026-12-02", "2026-12-01"),
        LocalZone::Unasked,
        "startAt (\"2026-12-02\") is after endAt (\"2026-12-01\")",
    );
}
