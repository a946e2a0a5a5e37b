//! Checks of a new contact: it needs a name, email or phone, a valid email, and a phone in E.164.

use serde_json::{Map, Value, json};

use super::records::of_location;
use crate::call::SandboxCall;
use crate::refusal::Refusal;
use crate::state::Records;

/// Countries with the international and the national prefix of their numbers.
const COUNTRIES: [(&str, &str, &str); 20] = [
    ("US", "1", ""),
    ("CA", "1", ""),
    ("GB", "44", "0"),
    ("IE", "353", "0"),
    ("AU", "61", "0"),
    ("NZ", "64", "0"),
    ("DE", "49", "0"),
    ("AT", "43", "0"),
    ("CH", "41", "0"),
    ("FR", "33", "0"),
    ("NL", "31", "0"),
    ("BE", "32", "0"),
    ("SE", "46", "0"),
    ("NO", "47", ""),
    ("DK", "45", ""),
    ("ES", "34", ""),
    ("IT", "39", ""),
    ("IN", "91", "0"),
    ("BR", "55", "0"),
    ("MX", "52", ""),
];
/// Digits of a number in E.164, with its country code.
const DIGITS: std::ops::RangeInclusive<usize> = 8..=15;

/// The members of the request, with the phone in E.164. [I] an invalid email is refused as class-validator does it.
pub(super) fn check(state: &Records, call: &SandboxCall) -> Result<Map<String, Value>, Refusal> {
    let mut members = call.members();
    let text = |name: &str| call.text(name).filter(|text| !text.is_empty());
    if text("email").is_some_and(|email| !is_email(email)) {
        return Err(Refusal::invalid(vec!["email must be an email".to_owned()]));
    }
    if let Some(phone) = text("phone") {
        let phone = e164(phone, text("country").unwrap_or(home(state, call)));
        members.insert("phone".to_owned(), json!(phone));
    }
    Ok(members)
}

/// [M] a new contact has an email, a phone, a first name or a last name; `name` alone does not count.
pub(super) fn check_new(members: &Map<String, Value>) -> Result<(), Refusal> {
    if ["email", "phone", "firstName", "lastName"]
        .iter()
        .any(|name| is_given(members, name))
    {
        return Ok(());
    }
    let message = "Contacts without email, phone, firstName and lastName are not allowed.";
    Err(Refusal::new(422, message))
}

/// [M: n8n-highlevel#10] an upsert searches for a contact by one of the two.
pub(super) fn check_upsert(members: &Map<String, Value>) -> Result<(), Refusal> {
    if ["email", "phone"]
        .iter()
        .any(|name| is_given(members, name))
    {
        return Ok(());
    }
    let message = "Pass at least one of number, email query parameter";
    Err(Refusal::new(400, message))
}

fn is_given(members: &Map<String, Value>, name: &str) -> bool {
    let text = members.get(name).and_then(Value::as_str);
    text.is_some_and(|text| !text.trim().is_empty())
}

/// The contact of the location with that email or phone.
pub(super) fn same<'s>(
    state: &'s Records,
    location: &'s str,
    name: &str,
    value: &str,
) -> Option<&'s Value> {
    of_location(state, "contact", location).find(|contact| {
        let own = contact[name].as_str().unwrap_or_default();
        !value.is_empty() && own.eq_ignore_ascii_case(value)
    })
}

/// The location's country.
pub(super) fn home<'s>(state: &'s Records, call: &SandboxCall) -> &'s str {
    let location = state.get("location", call.location());
    let country = location.and_then(|one| one["country"].as_str());
    country.unwrap_or("US")
}

fn is_email(text: &str) -> bool {
    let Some((name, host)) = text.rsplit_once('@') else {
        return false;
    };
    let allowed = |letter: char| !letter.is_whitespace() && !"@,;<>()[]\\\"".contains(letter);
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|letter| letter.is_alphanumeric() || letter == '-')
    };
    !name.is_empty()
        && name.chars().all(allowed)
        && host.contains('.')
        && host.split('.').all(is_label)
}

/// [M] phones are stored in E.164; [I] a phone that cannot be converted is stored unchanged.
pub(super) fn e164(phone: &str, country: &str) -> String {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    let is_number = !phone.chars().any(char::is_alphabetic);
    let abroad = if phone.trim_start().starts_with('+') {
        Some(digits.clone())
    } else if let Some(rest) = digits.strip_prefix("00") {
        Some(rest.to_owned())
    } else {
        let known = COUNTRIES.iter().find(|(name, ..)| *name == country);
        known.and_then(|(_, code, trunk)| match digits.len() {
            11 if *code == "1" && digits.starts_with('1') => Some(digits.clone()),
            10 if *code == "1" => Some(format!("1{digits}")),
            _ if *code == "1" => None,
            _ => {
                let national = digits.strip_prefix(trunk).unwrap_or(&digits);
                Some(format!("{code}{national}"))
            }
        })
    };
    let abroad = abroad.filter(|digits| is_number && DIGITS.contains(&digits.len()));
    abroad.map_or_else(|| phone.to_owned(), |digits| format!("+{digits}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phone_numbers_are_converted_to_e164_if_possible() {
        fn check(phone: &str, country: &str, expected: &str) {
            assert_eq!(e164(phone, country), expected, "{phone} in {country}");
        }
        check("(415) 555-0133", "US", "+14155550133");
        check("1 415 555 0133", "US", "+14155550133");
        check("+1 (415) 555-0133", "GB", "+14155550133");
        check("020 7946 0018", "GB", "+442079460018");
        check("0049 30 901820", "US", "+4930901820");
        check("+15550100", "US", "+15550100");
        check("555-0133", "US", "555-0133");
        check("call me", "US", "call me");
        check("415 555 0133", "XX", "415 555 0133");
    }

    #[test]
    fn invalid_emails_are_recognised() {
        for email in ["a@b.co", "a.b+c@mail.example.com", "o'neil@x.example"] {
            assert!(is_email(email), "{email}");
        }
        for none in [
            "not-an-email",
            "a@b",
            "@b.co",
            "a b@c.de",
            "a@b..co",
            "a@-b.co",
        ] {
            assert!(!is_email(none), "{none}");
        }
    }
}
