//! Days, and dates inside an argument.

use serde_json::{Value, json};

use super::{LOS_ANGELES, LocalZone, ok, refused, unknown, zone};

#[test]
fn a_moment_becomes_the_day_that_it_is_there() {
    let from = |from: Value| json!({"startAt": from, "limit": "10", "offset": "0"});
    let list = "invoices_list-invoices";
    for (given, expected) in [
        (json!("2026-12-02T03:00:00Z"), "2026-12-01"),
        (json!(1_796_083_200), "2026-11-30"),
        // These give their own day.
        (json!("2026-12-02T03:00:00+01:00"), "2026-12-02"),
        (json!("2026-12-02T23:00:00[Asia/Tokyo]"), "2026-12-02"),
        (json!("2026-12-02T03:00:00Z[Asia/Tokyo]"), "2026-12-02"),
        (json!("2026-12-02T23:00:00"), "2026-12-02"),
        (json!("12-02-2026"), "2026-12-02"),
        (json!("2026-12-02T00:00:00.000Z"), "2026-12-02"),
    ] {
        ok(
            list,
            from(given),
            zone(LOS_ANGELES),
            json!({"startAt": expected}),
        );
    }
    refused(
        list,
        from(json!("2026-12-02T03:00:00Z")),
        LocalZone::Unasked,
        "asks",
    );
    ok(
        list,
        from(json!("2026-12-02T03:00:00Z")),
        unknown(),
        json!({"startAt": "2026-12-02"}),
    );
    let search = "opportunities_search-opportunity";
    ok(
        search,
        json!({"date": "2026-12-02T03:00:00Z"}),
        zone(LOS_ANGELES),
        json!({"date": "12-01-2026"}),
    );
    let invoice = |due: &str| json!({"dueDate": due, "invoiceId": "i"});
    refused(
        "invoices_update-invoice",
        invoice("2026-12-02T03:00:00Z"),
        unknown(),
        "dueDate depends on the location's time zone",
    );
}

#[test]
fn fields_inside_arguments_are_dates_too() {
    let schedule = |date: &str, timezone: &str| json!({"timezone": timezone, "rules": [{"type": "date", "date": date, "intervals": []}], "userId": "u", "name": "n"});
    let rule = |date: &str| json!({"rules": [{"type": "date", "date": date, "intervals": []}]});
    ok(
        "calendars_createSchedule",
        schedule("2026-12-02T03:00:00Z", LOS_ANGELES),
        LocalZone::Unasked,
        rule("2026-12-01"),
    );
    refused(
        "calendars_createSchedule",
        schedule("soon", LOS_ANGELES),
        LocalZone::Unasked,
        "rules[0].date must be a date",
    );
    let open =
        |date: &str| json!({"availabilities": [{"date": date, "hours": []}], "calendarId": "c"});
    let opened = |date: &str| json!({"availabilities": [{"date": date, "hours": []}]});
    ok(
        "calendars_update-calendar",
        open("2026-12-01"),
        LocalZone::Unasked,
        opened("2026-12-01T00:00:00.000Z"),
    );
    ok(
        "calendars_update-calendar",
        open("2026-12-01T09:00:00-08:00"),
        LocalZone::Unasked,
        opened("2026-12-01T00:00:00.000Z"),
    );
    let label = |from: &str, to: &str| json!({"name": "n", "productType": "DIGITAL", "label": {"title": "t", "startDate": from, "endDate": to}});
    let expected = json!({"label": {"title": "t", "startDate": "2026-12-01T00:00:00-08:00", "endDate": "2026-12-01T23:59:59.999-08:00"}});
    ok(
        "products_create-product",
        label("2026-12-01", "2026-12-01"),
        zone(LOS_ANGELES),
        expected,
    );
    refused(
        "products_create-product",
        label("2026-12-02", "2026-12-01"),
        zone(LOS_ANGELES),
        "label.startDate (\"2026-12-02\") is after label.endDate",
    );
    let campaign = |at: &str| json!({"scheduleType": "scheduled", "timeZone": LOS_ANGELES, "scheduleConfig": {"sendAt": at}, "campaignId": "c"});
    for (given, expected) in [
        ("2026-12-01 09:00 AM", Ok("2026-12-01 09:00 AM")),
        ("9 AM", Err("scheduleConfig.sendAt must be")),
        ("2026-12-01T09:00:00", Ok("2026-12-01 09:00 AM")),
        ("2026-12-01T21:05:00Z", Ok("2026-12-01 01:05 PM")),
        ("2026-12-01T21:05:00[Asia/Tokyo]", Ok("2026-12-01 04:05 AM")),
    ] {
        let name = "emails_schedule-campaign";
        match expected {
            Ok(expected) => ok(
                name,
                campaign(given),
                LocalZone::Unasked,
                json!({"scheduleConfig": {"sendAt": expected}}),
            ),
            Err(part) => refused(name, campaign(given), LocalZone::Unasked, part),
        }
    }
}
