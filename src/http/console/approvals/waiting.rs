//! The waiting calls of one person. This module knows no page: the menu of every page counts them.

use axum::http::StatusCode;

use super::decider::Decider;
use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::unavailable;
use crate::http::pages::notice::PageProblem;
use state::approvals::{Approval, Approvals};
use state::people::Person;

pub(super) fn store(sign_in: &SignIn) -> Result<&Approvals, PageProblem> {
    let approvals = sign_in.pipeline.controls().approvals.as_ref();
    approvals.ok_or_else(|| {
        PageProblem::new(
            StatusCode::NOT_FOUND,
            "This server keeps no approvals",
            "It stores nothing, so no request can wait here.",
        )
    })
}

/// The calls that wait for this person, oldest first.
pub(in crate::http::console) async fn waiting(
    sign_in: &SignIn,
    person: &Person,
) -> Result<Vec<Approval>, PageProblem> {
    let Ok(approvals) = store(sign_in) else {
        return Ok(Vec::new());
    };
    let decider = Decider::new(sign_in, person).await?;
    let mut waiting = approvals.waiting().await.map_err(unavailable)?;
    waiting.retain(|approval| decider.may_decide(approval));
    Ok(waiting)
}
