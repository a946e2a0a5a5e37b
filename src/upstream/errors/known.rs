//! HighLevel's known errors, the meaning of each, and who reported it.

use crate::upstream::failure::FailureClass;

/// A known error.
pub(super) struct KnownError {
    /// HighLevel's own codes for it. A `*` at the end matches any ending.
    pub codes: &'static [&'static str],
    /// Statuses under which the sentence has this meaning. A code has it under all.
    pub statuses: &'static [u16],
    /// The whole sentence (see [`super::phrase`]).
    pub phrase: &'static str,
    pub class: FailureClass,
    /// Our own sentence.
    pub sentence: &'static str,
    /// `{scopes}` and `{access}` are replaced by the tool's needs, `{connect}` and `{agency}` by a person's steps.
    pub remedy: &'static str,
    /// Milliseconds after which another attempt may succeed.
    pub wait_ms: Option<u64>,
    /// The report; `code:` for answers that several programs on GitHub check for or have recorded. We checked none
    /// against the live service.
    #[cfg(test)]
    pub source: &'static str,
    /// As it was reported.
    #[cfg(test)]
    pub example: &'static str,
}

const NEW_TOKEN: &str = "Check that the whole token was given and that it was not rotated or deleted; make a new one in HighLevel under Settings, Private Integrations.";

/// Longest known sentence.
const LONGEST: usize = 500;

/// A 401 without words, or in unknown ones.
pub(super) const UNKNOWN_TOKEN: (&str, &str) = ("HighLevel does not accept the token.", NEW_TOKEN);

macro_rules! known {
    ($({
        $(codes: [$($code:literal),*],)?
        [$($status:literal),*] $phrase:literal,
        $class:ident: $sentence:literal,
        $remedy:expr,
        $(wait_ms: $wait:literal,)?
        source: $source:literal,
        example: $example:literal $(,)?
    })*) => {
        &[$(KnownError {
            codes: &[$($($code),*)?],
            statuses: &[$($status),*],
            phrase: $phrase,
            class: FailureClass::$class,
            sentence: $sentence,
            remedy: $remedy,
            wait_ms: known!(@wait $($wait)?),
            #[cfg(test)]
            source: $source,
            #[cfg(test)]
            example: $example,
        }),*]
    };
    (@wait) => { None };
    (@wait $wait:literal) => { Some($wait) };
}

/// The first match counts.
pub(super) const KNOWN: &[KnownError] = known! {
    // First, because a property may have any name.
    {
        [400, 422] "property {} should not exist",
        Invalid: "HighLevel does not accept a property of this call.",
        "Leave out the property that the message names.",
        source: "https://github.com/GoHighLevel/highlevel-api-docs/issues/262",
        example: "property additionalEmails should not exist",
    }
    {
        [401] "version header was not found",
        Upstream: "HighLevel did not get the Version header that this server sends.",
        "Look for a proxy on the way that drops headers; if there is none, this is a fault of this server.",
        source: "https://github.com/GoHighLevel/highlevel-api-docs/issues/335",
        example: "version header was not found.",
    }
    {
        [401] "The token is not authorized for this scope",
        Scope: "The token may not do this.",
        "A person has to give the token the scope {scopes} in HighLevel, or make it anew where it had worked before. {agency}",
        source: "https://github.com/GoHighLevel/highlevel-api-docs/issues/217",
        example: "The token is not authorized for this scope.",
    }
    {
        [401] "Token's user type mismatch",
        TokenClass: "The token is of the wrong kind: this operation takes {access}.",
        "{connect}",
        source: "code: the answer of users to an agency's token",
        example: "Token's user type mismatch!",
    }
    {
        [401] "This authClass type is not allowed to access this scope{}",
        TokenClass: "The token is a company's OAuth token: this operation takes {access}.",
        "Name the location by `location`: the token is exchanged for that location's.",
        source: "code: the answer to a company's OAuth token",
        example: "This authClass type is not allowed to access this scope. Please verify your IAM configuration if this is not the case.",
    }
    {
        [401, 403] "This route is not yet supported by the IAM Service{}",
        Refused: "HighLevel does not offer this operation to tokens of any kind.",
        "Do not try again; it is done in HighLevel's own app.",
        source: "https://github.com/GoHighLevel/highlevel-api-docs/issues/74",
        example: "This route is not yet supported by the IAM Service. Please update your IAM config.",
    }
    {
        [401] "Invalid JWT",
        Auth: "HighLevel does not accept the token.",
        NEW_TOKEN,
        source: "https://github.com/GoHighLevel/highlevel-api-docs/issues/213",
        example: "Invalid JWT",
    }
    {
        [401] "Invalid JWT: {}",
        Auth: "HighLevel does not accept the token.",
        NEW_TOKEN,
        source: "code: the answer to a wrong OAuth token, with its cause",
        example: "Invalid JWT: signature is wrong",
    }
    {
        [401] "Invalid Private Integration token",
        Auth: "HighLevel does not accept the token.",
        NEW_TOKEN,
        source: "code: the answer to a private integration token that was revoked or mistyped",
        example: "Invalid Private Integration token",
    }
    {
        [401] "Invalid token: {}",
        Auth: "HighLevel does not accept the token.",
        NEW_TOKEN,
        source: "code: the answer to a wrong OAuth token",
        example: "Invalid token: access token is invalid",
    }
    {
        [401] "Invalid token",
        Auth: "HighLevel does not accept the token.",
        NEW_TOKEN,
        source: "code: the answer to a wrong OAuth token",
        example: "Invalid token",
    }
    {
        [401] "Api key is invalid",
        Auth: "HighLevel does not accept the token.",
        NEW_TOKEN,
        source: "code: the answer of HighLevel's first API",
        example: "Api key is invalid.",
    }
    {
        [401] "Unauthorized, Switch to the new API token",
        Auth: "HighLevel's first API answered, which takes no private integration token.",
        "Set upstream.base_url to https://services.leadconnectorhq.com.",
        source: "code: the answer of HighLevel's first API",
        example: "Unauthorized, Switch to the new API token.",
    }
    {
        [401, 403] "This location is not accessible from this token",
        Location: "The token is good, and does not belong to the location of this call.",
        "Check the locationId; a private integration token reaches only the location it was made in. Another token of the same location does not help.",
        source: "https://github.com/n8n-io/n8n/issues/37571",
        example: "This location is not accessible from this token!",
    }
    {
        [401, 403] "The token does not have access to this location",
        Location: "The token does not belong to the location of this call.",
        "Check the locationId; a token of that location, or of its agency where that is allowed, is needed.",
        source: "https://github.com/GoHighLevel/highlevel-api-docs/issues/213",
        example: "The token does not have access to this location.",
    }
    {
        codes: ["CONVERSATIONS_MSG_PROVIDER_NO_ACCESS"],
        [] "",
        Refused: "The conversation provider of this message belongs to another app than the token.",
        "Leave out conversationProviderId, or use the OAuth token of the app that the provider belongs to.",
        source: "code: the answer to a token of another app",
        example: "",
    }
    {
        [401, 403] "No conversation provider found for this message",
        Upstream: "HighLevel has not given the message to its provider yet, or the location has none for this channel.",
        "Right after a send this passes within 10 seconds: repeat the call after retryAfterMs milliseconds. If it stays so, the status of this message cannot be set (emails have none to set). The token's scopes are not the cause.",
        wait_ms: 10_000,
        source: "https://github.com/GoHighLevel/highlevel-api-docs/issues/4",
        example: "No conversation provider found for this message",
    }
    {
        codes: ["CONVERSATIONS_MSG_NOT_FOUND"],
        [400, 401, 403] "No message found {}",
        NotFound: "HighLevel has no such message, or none whose status can be set.",
        "Check the id with conversations_get-message; right after a send look again after some seconds. The status of an email cannot be set.",
        source: "code: the answer to a message's status and to cancelling one",
        example: "No message found for the id: m1 passed in params",
    }
    {
        [401] "The user does not exist",
        NotFound: "HighLevel has no user of that id.",
        "Check the id with users_get-user-by-location. The token is not the cause.",
        source: "https://github.com/GoHighLevel/highlevel-api-docs/issues/205",
        example: "The user does not exist.",
    }
    {
        [400] "Invalid API version {}",
        Upstream: "HighLevel no longer knows the version of its API that this operation asks for.",
        "Take a newer release of this server.",
        source: "code: the answer to an unknown Version header",
        example: "Invalid API version segment 'bogus-version' at position 0",
    }
    {
        codes: ["CONVERSATIONS_CONTACT_NOT_FOUND"],
        [400, 422] "Contact not found for id:{}",
        NotFound: "HighLevel has no contact of that id.",
        "Check the id, and that it belongs to this location; contacts that were merged have the id of the one that is left.",
        source: "code: the answer to the id of a contact that was deleted or merged",
        example: "Contact not found for id:MMrEpSBB5rbHzONLDirb",
    }
    {
        [400, 401, 422] "{noun} with id {} not found",
        NotFound: "HighLevel has no record of that id.",
        "Check the id, and that it belongs to this location.",
        source: "code: the answer of several operations to a wrong id",
        example: "Contact with id c1 not found",
    }
    {
        [400, 422] "{noun} not found for {}",
        NotFound: "HighLevel has no record of that id.",
        "Check the id, and that it belongs to this location.",
        source: "code: the answer of several operations to a wrong id",
        example: "Opportunity not found for id: o1",
    }
    {
        [400, 422] "{noun} not found with {}",
        NotFound: "HighLevel has no record of that id.",
        "Check the id, and that it belongs to this location.",
        source: "code: the answer of several operations to a wrong id",
        example: "Calendar not found with id c1",
    }
    {
        [400, 422] "{noun} not found",
        NotFound: "HighLevel has no such record.",
        "Check the id, and that it belongs to this location.",
        source: "code: the answer of several operations to a wrong id",
        example: "Opportunity not found",
    }
    {
        [400, 422] "{noun} does not exist",
        NotFound: "HighLevel has no such record.",
        "Check the id, and that it belongs to this location.",
        source: "code: the answer of several operations to a wrong id",
        example: "The record does not exist",
    }
    {
        [400, 422] "This location does not allow duplicated {noun}",
        Duplicate: "There is such a record already.",
        "Update the one that exists, or use an upsert.",
        source: "code: the answer to creating a contact that exists",
        example: "This location does not allow duplicated contacts.",
    }
    {
        codes: ["OPPORTUNITY_NO_DUPLICATE"],
        [400, 422] "Can not create duplicate opportunity{}",
        Duplicate: "The contact has an opportunity already, and this location allows one.",
        "Update the one that exists, or use an upsert.",
        source: "code: the answer to a second opportunity of a contact",
        example: "Can not create duplicate opportunity for the contact.",
    }
    {
        [400, 422] "Duplicate {noun}",
        Duplicate: "There is such a record already.",
        "Update the one that exists, or use an upsert.",
        source: "code: the answer of several operations to a name that is taken",
        example: "Duplicate contact",
    }
    {
        [400, 422] "{noun} with {} already exists{}",
        Duplicate: "There is such a record already.",
        "Update the one that exists, or use an upsert.",
        source: "code: the answer of several operations to a name that is taken",
        example: "Custom field with this name already exists",
    }
    {
        [400, 422] "{noun} already exists{}",
        Duplicate: "There is such a record already.",
        "Update the one that exists, or use an upsert.",
        source: "code: the answer of several operations to a name that is taken",
        example: "Tag already exists",
    }
    {
        codes: ["CONVERSATIONS_MSG_DND_ACTIVE*"],
        [400, 403, 422] "Cannot send message as DND is active{}",
        Dnd: "The contact does not want to be contacted this way.",
        "Do not try another way without asking; the contact's dndSettings tell which channels are open.",
        source: "code: the answer to a message to a contact with do-not-disturb",
        example: "Cannot send message as DND is active for SMS.",
    }
    {
        codes: ["CONVERSATIONS_MSG_UNSUBSCRIBED"],
        [400, 403, 422] "Cannot send {noun} as {} has unsubscribed",
        Dnd: "The contact unsubscribed from this channel.",
        "Do not try another way without asking; the contact's dndSettings tell which channels are open.",
        source: "code: the answer to an email to who unsubscribed",
        example: "Cannot send email as someone@example.com has unsubscribed",
    }
    {
        [400, 422] "Contact {} has dnd enabled, not starting campaign{}",
        Dnd: "The contact does not want to be contacted this way.",
        "Do not try another way without asking; the contact's dndSettings tell which channels are open.",
        source: "code: the answer to adding a contact to a campaign",
        example: "Contact 9k2x has dnd enabled, not starting campaign",
    }
    {
        codes: ["CONVERSATIONS_MSG_INVALID_EMAILTO"],
        [400, 422] "Cannot send message as emailTo is not under contact's primary or additional emails",
        Invalid: "The contact has no such address.",
        "Give emailTo letter by letter as the contact holds it, or add it to the contact first.",
        source: "code: the answer to an address that the contact does not hold",
        example: "Cannot send message as emailTo is not under contact's primary or additional emails",
    }
    {
        codes: ["CONVERSATIONS_MSG_INVALID_EMAIL"],
        [400, 422] "Unable to send e-mail, contact's e-mail is invalid",
        Invalid: "The contact has no valid email address.",
        "Correct it with contacts_update-contact, or ask which other way to use.",
        source: "code: the answer to an email to a contact without a valid address",
        example: "Unable to send e-mail, contact's e-mail is invalid",
    }
    {
        [400, 422] "Missing phone number",
        Invalid: "The contact has no phone number.",
        "Add one with contacts_update-contact, or ask which other way to use.",
        source: "code: the answer to a text to a contact without a phone",
        example: "Missing phone number",
    }
    {
        [400, 422] "Invalid country calling code",
        Invalid: "The contact's phone number has no valid country code.",
        "Correct it with contacts_update-contact, in the form +14155550100.",
        source: "code: the answer to a text to such a number",
        example: "Invalid country calling code",
    }
    {
        codes: ["CONVERSATIONS_MSG_NO_CONTENT"],
        [400, 422] "There is no message or attachments",
        Invalid: "The message is empty.",
        "An email needs html, everything else message or attachments.",
        source: "code: the answer to an email with message in place of html",
        example: "There is no message or attachments",
    }
    {
        codes: ["CONVERSATIONS_MSG_CONVERSATION_PROVIDER_MISMATCH"],
        [400, 422] "Incorrect conversationProviderId/type",
        Invalid: "The provider does not carry messages of this type.",
        "Messages by a provider of your own have the type Custom; give the provider's id of this location.",
        source: "code: the answer to an inbound message",
        example: "Incorrect conversationProviderId/type",
    }
    {
        [400, 422] "No conversationProviderId passed in body",
        Invalid: "HighLevel needs to know which provider carries the message.",
        "Give conversationProviderId, the id of a conversation provider of this location.",
        source: "code: the answer to an inbound message",
        example: "No conversationProviderId passed in body",
    }
    {
        [400, 409, 422] "The slot you have selected is no longer available",
        Invalid: "The calendar has no free slot at this time.",
        "Take a time that calendars_get-slots gives. A time outside of the calendar's hours or of how far ahead it takes bookings gets this too; ignoreFreeSlotValidation true books it all the same.",
        source: "code: the answer to an appointment at a time that is not free",
        example: "The slot you have selected is no longer available.",
    }
    {
        [400, 422] "The user id not part of calendar team",
        Invalid: "The user is not of the calendar's team.",
        "Give an assignedUserId from teamMembers of calendars_get-calendar.",
        source: "code: the answer to an appointment for another user",
        example: "The user id not part of calendar team.",
    }
};

impl KnownError {
    /// The row for `code` or, under this status, for one of `sentences`.
    pub(super) fn find(
        status: u16,
        code: Option<&str>,
        sentences: &[impl AsRef<str>],
    ) -> Option<&'static Self> {
        let coded = code.and_then(|code| KNOWN.iter().find(|known| known.has_code(code)));
        coded.or_else(|| {
            KNOWN.iter().find(|known| {
                known.statuses.contains(&status)
                    && sentences
                        .iter()
                        .map(AsRef::as_ref)
                        .filter(|one| one.len() <= LONGEST)
                        .any(|one| super::phrase::is_phrase(one, known.phrase))
            })
        })
    }

    fn has_code(&self, code: &str) -> bool {
        self.codes
            .iter()
            .any(|known| match known.strip_suffix('*') {
                Some(start) => code.starts_with(start),
                None => *known == code,
            })
    }
}

#[cfg(test)]
mod tests;
