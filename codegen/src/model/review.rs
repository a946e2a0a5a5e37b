//! Contradictions in the review of one operation: effect, `additive`, `confirm`, `proves`.

use crate::annotations::{OperationAnnotations, TenantRole};
use crate::model::operation::{Operation, V3Operation};
use tool::{Effect, TokenClass};

/// Every contradiction: the key, the fault, the remedy.
pub(crate) fn contradictions(
    operation: &Operation,
    known: &OperationAnnotations,
) -> Vec<(&'static str, &'static str, &'static str)> {
    let mut found = Vec::new();
    // A read needs a reason if its table says more than that it reads.
    let grave = matches!(
        known.effect,
        Effect::Send | Effect::Money | Effect::Destructive
    );
    let unusual_read = known.effect == Effect::Read && operation.method != "GET";
    let needs_reason = known.bulk || known.confirm.is_some() || grave || unusual_read;
    if needs_reason && known.reason.is_none() {
        found.push((
            "reason",
            "is missing for an effect that the method does not show",
            "give one",
        ));
    }
    if known.additive && matches!(known.effect, Effect::Read | Effect::Destructive) {
        let what = "is given for an effect that adds nothing, or takes away";
        found.push(("additive", what, "remove one of them"));
    }
    if known.confirm.is_some() && known.effect == Effect::Read {
        let what = "is given for a read, which is never confirmed";
        found.push(("confirm", what, "remove it, or correct the effect"));
    }
    if known.proves {
        found.extend(unproven(operation).map(|what| ("proves", what, "remove it")));
    }
    found
}

/// The reason that a success of `operation` cannot prove that the token belongs to a location.
fn unproven(operation: &Operation) -> Option<&'static str> {
    let names_location = |operation: &Operation| {
        let mut arguments = operation.arguments.iter();
        arguments.any(|one| one.role == TenantRole::Location && one.required)
    };
    let every_variant = match &operation.v3 {
        V3Operation::Other(v3) => names_location(operation) && names_location(v3),
        _ => names_location(operation),
    };
    match operation.token {
        _ if !every_variant => Some("is given where no required argument names a location"),
        TokenClass::Agency => Some("is given where only an agency's token is taken"),
        TokenClass::Unknown => Some("is given where HighLevel does not say which token is taken"),
        TokenClass::Location | TokenClass::Either => None,
    }
}
