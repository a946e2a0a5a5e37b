//! The table of tools as static data of `runtime::tool`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use crate::allowlist::Allowlist;
use crate::emit::handlers::handler_name;
use crate::knowledge::{DateForm, Effect, ListStyle, Paging, Rule, TenantRole, TokenClass};
use crate::model::lower::names;
use crate::model::operation::{Argument, Media, Newer, Operation, Place};

/// `TOOLS`, in the order of `operations`.
pub fn registry(operations: &[&Operation], allowlist: &Allowlist) -> TokenStream {
    let tools = operations.iter().map(|operation| tool(operation));
    let toolsets = allowlist.toolsets.iter().map(|(name, toolset)| {
        let description = &toolset.description;
        quote!((#name, #description))
    });
    quote! {
        // Which of these are used depends on the tools.
        #[allow(unused_imports)]
        use crate::runtime::tool::{
            Argument, DateForm, Effect, InnerTenant, ListStyle, Media, Newer, Next, Paging, PagingStyle,
            Place, ReadBack, Rename, Role, Rule, TokenClass, Tool,
        };

        /// Every tool, sorted by name.
        pub static TOOLS: &[Tool] = &[#(#tools),*];

        /// The toolsets of the allowlist with their descriptions.
        pub static TOOLSETS: &[(&str, &str)] = &[#(#toolsets),*];

        /// The search index over `TOOLS`, in their order.
        pub static SEARCH_INDEX: &str = include_str!(concat!(env!("OUT_DIR"), "/search.json"));
    }
}

fn tool(operation: &Operation) -> TokenStream {
    let Operation {
        tool,
        aliases,
        title,
        description,
        toolsets,
        document,
        operation_id,
        method,
        path,
        version,
        deprecated,
        bulk,
        additive,
        proves,
        asks_person,
        twins,
        idempotent,
        scopes,
        access,
        fields,
        answers,
        ..
    } = operation;
    let effect = match operation.effect {
        Effect::Read => quote!(Effect::Read),
        Effect::Write => quote!(Effect::Write),
        Effect::Send => quote!(Effect::Send),
        Effect::Money => quote!(Effect::Money),
        Effect::Destructive => quote!(Effect::Destructive),
    };
    let arguments = operation.arguments.iter().map(argument);
    let renames = operation.renames.iter().map(|rename| {
        let within = rename.within.split('.').flat_map(|step| {
            let bare = step.strip_suffix("[]");
            std::iter::once(bare.unwrap_or(step)).chain(bare.map(|_| "[]"))
        });
        let (from, to) = (&rename.from, &rename.to);
        quote!(Rename { within: &[#(#within),*], from: #from, to: #to })
    });
    let inner_tenants = operation.inner_tenants.iter().map(|tenant| {
        let steps = &tenant.steps;
        let role = role(tenant.role, Rule::Explicit);
        quote!(InnerTenant { steps: &[#(#steps),*], role: #role })
    });
    let paging = paging(&operation.paging);
    let media = match operation.media {
        Media::Json => quote!(Media::Json),
        Media::Form => quote!(Media::Form),
        Media::Multipart => quote!(Media::Multipart),
    };
    let token = match operation.token {
        TokenClass::Location => quote!(TokenClass::Location),
        TokenClass::Agency => quote!(TokenClass::Agency),
        TokenClass::Either => quote!(TokenClass::Either),
        TokenClass::Unknown => quote!(TokenClass::Unknown),
    };
    let advertised = operation.advertised_schema.to_string();
    let check = operation.check_schema.to_string();
    let read_back = match &operation.read_back {
        None => quote!(None),
        Some(back) => {
            let (sent, found) = (&back.sent, back.found.split('.'));
            quote!(Some(ReadBack { sent: #sent, found: &[#(#found),*] }))
        }
    };
    let prepare = handler_name(operation);
    let newer = match &operation.newer {
        Newer::None => quote!(Newer::None),
        Newer::Same(version) => quote!(Newer::Same(#version)),
        Newer::Other(newer) => {
            let newer = self::tool(newer);
            // A constant of its own, for a table holds no reference to what stands in itself.
            quote!(Newer::Other({
                static NEWER: Tool = #newer;
                &NEWER
            }))
        }
    };
    quote! {
        Tool {
            name: #tool,
            aliases: &[#(#aliases),*],
            title: #title,
            description: #description,
            toolsets: &[#(#toolsets),*],
            document: #document,
            operation_id: #operation_id,
            method: #method,
            path: #path,
            version: #version,
            effect: #effect,
            bulk: #bulk,
            additive: #additive,
            proves: #proves,
            asks_person: #asks_person,
            twins: &[#(#twins),*],
            idempotent: #idempotent,
            deprecated: #deprecated,
            scopes: &[#(#scopes),*],
            access: &[#(#access),*],
            arguments: &[#(#arguments),*],
            inner_tenants: &[#(#inner_tenants),*],
            renames: &[#(#renames),*],
            paging: #paging,
            fields: &[#(#fields),*],
            answers: &[#(#answers),*],
            read_back: #read_back,
            token: #token,
            media: #media,
            advertised_schema: #advertised,
            check_schema: #check,
            prepare: #prepare,
            newer: #newer,
        }
    }
}

fn paging(paging: &Paging) -> TokenStream {
    let style = format_ident!(
        "{}",
        match paging.style {
            crate::knowledge::PagingStyle::None => "None",
            crate::knowledge::PagingStyle::Cursor => "Cursor",
            crate::knowledge::PagingStyle::Page => "Page",
            crate::knowledge::PagingStyle::Offset => "Offset",
            crate::knowledge::PagingStyle::LastId => "LastId",
            crate::knowledge::PagingStyle::Window => "Window",
        }
    );
    let page_size = option(paging.page_size.as_deref());
    let narrow = option(paging.narrow.as_deref());
    let position = option(paging.position.as_deref());
    let first = paging.first.unwrap_or(1);
    let steps = |path: &Option<String>| {
        let steps = path.iter().flat_map(|path| path.split('.'));
        let steps = steps.filter(|step| !step.is_empty());
        quote!(&[#(#steps),*])
    };
    let (rows, more, total) = (
        steps(&paging.rows),
        steps(&paging.more),
        steps(&paging.total),
    );
    let next = paging.next.iter().map(|(argument, path)| {
        let steps = path.split('.');
        quote!(Next { argument: #argument, path: &[#(#steps),*] })
    });
    quote! {
        Paging {
            style: PagingStyle::#style,
            page_size: #page_size,
            rows: #rows,
            narrow: #narrow,
            position: #position,
            first: #first,
            next: &[#(#next),*],
            more: #more,
            total: #total,
        }
    }
}

fn argument(argument: &Argument) -> TokenStream {
    let Argument {
        name,
        wire_name,
        wide,
        file,
        ..
    } = argument;
    let aliases = names(argument).into_iter().filter(|alias| alias != name);
    let place = match argument.place {
        Place::Path => quote!(Place::Path),
        Place::Query => quote!(Place::Query),
        Place::Header => quote!(Place::Header),
        Place::Body => quote!(Place::Body),
        Place::WholeBody => quote!(Place::WholeBody),
    };
    let role = role(argument.role, argument.rule);
    let date_form = argument.date.map_or_else(
        || quote!(None),
        |form| {
            let form = format_ident!(
                "{}",
                match form {
                    DateForm::EpochMs => "EpochMilliseconds",
                    DateForm::EpochS => "EpochSeconds",
                    DateForm::Date => "Date",
                    DateForm::MmDdYyyy => "MonthDayYear",
                    DateForm::DateTime => "DateTime",
                }
            );
            quote!(Some(DateForm::#form))
        },
    );
    let list_style = match argument.list {
        None => quote!(None),
        Some(ListStyle::Comma) => quote!(Some(ListStyle::Comma)),
        Some(ListStyle::Repeated) => quote!(Some(ListStyle::Repeated)),
    };
    let when_absent = argument
        .constant
        .as_ref()
        .or(argument.default_sent.as_ref());
    let when_absent = option(when_absent.map(ToString::to_string).as_deref());
    quote! {
        Argument {
            name: #name,
            aliases: &[#(#aliases),*],
            wire_name: #wire_name,
            place: #place,
            role: #role,
            date_form: #date_form,
            list_style: #list_style,
            wide_path_value: #wide,
            when_absent: #when_absent,
            file: #file,
        }
    }
}

fn option(text: Option<&str>) -> TokenStream {
    text.map_or_else(|| quote!(None), |text| quote!(Some(#text)))
}

fn role(role: TenantRole, rule: Rule) -> TokenStream {
    let rule = match rule {
        Rule::Fill => quote!(Rule::Fill),
        Rule::Explicit => quote!(Rule::Explicit),
    };
    match role {
        TenantRole::None => quote!(Role::None),
        TenantRole::Location => quote!(Role::Location(#rule)),
        TenantRole::Company => quote!(Role::Company(#rule)),
    }
}
