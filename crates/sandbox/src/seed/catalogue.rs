//! The offers and questions of each location: products with a price each, a form and a survey.

use serde_json::{Value, json};

use super::{DAY, SeedLocation, put};
use crate::call::date;
use crate::state::{RecordKind, Records};

const PRODUCTS: [(&str, &str, u32); 4] = [
    ("Consultation", "SERVICE", 60),
    ("Yearly plan", "DIGITAL", 480),
    ("Starter kit", "PHYSICAL", 35),
    ("Gift card", "DIGITAL", 50),
];

/// The form and the survey of a location.
pub(super) struct SeedCatalogue {
    form: Value,
    survey: Value,
}

pub(super) fn catalogue(state: &mut Records, place: &SeedLocation) -> SeedCatalogue {
    let made = date(place.today - 200 * DAY);
    let mut keep = |kind: RecordKind, mut record: Value| {
        record["_id"] = json!(state.new_id());
        record["locationId"] = json!(place.id);
        record["~location"] = json!(place.id);
        record["createdAt"] = json!(made);
        record["updatedAt"] = json!(made);
        let id = record["_id"].as_str().unwrap_or_default().to_owned();
        state.put(kind, &id, record);
        id
    };
    for (name, kind, amount) in PRODUCTS {
        let slug = name.to_lowercase().replace(' ', "-");
        let product = json!({
            "name": name, "productType": kind, "description": name, "availableInStore": true, "slug": slug,
        });
        let product = keep("product", product);
        let price = json!({
            "name": "Standard", "type": "one_time", "currency": "USD", "amount": amount, "product": product,
        });
        keep("price", price);
    }
    SeedCatalogue {
        form: put(state, place, "form", json!({"name": "Contact us"})),
        survey: put(
            state,
            place,
            "survey",
            json!({"name": "How was your visit?"}),
        ),
    }
}

/// The submission of a contact to the form, or its answer to the survey.
pub(super) fn answered(
    state: &mut Records,
    place: &SeedLocation,
    catalogue: &SeedCatalogue,
    number: usize,
    contact: &Value,
    at: i64,
) {
    let (kind, parent, asked): (RecordKind, _, _) = if number % 16 == 5 {
        ("formSubmission", "formId", &catalogue.form)
    } else {
        ("surveySubmission", "surveyId", &catalogue.survey)
    };
    let record = json!({
        "contactId": contact["id"], parent: asked["id"], "name": contact["contactName"],
        "email": contact["email"], "createdAt": date(at), "others": {},
    });
    put(state, place, kind, record);
}
