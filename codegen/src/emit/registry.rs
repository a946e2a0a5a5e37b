//! The table of tools as static data of the crate `tool`, and the table of their handlers.

use std::fmt::Debug;

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};

use crate::allowlist::Allowlist;
use crate::annotations::{PagingAnnotation, TenantRole};
use crate::emit::handlers::handler_name;
use crate::model::argument::names;
use crate::model::operation::{Operation, OperationArgument, V3Operation};
use crate::strangers::StrangerTables;
use tool::Rule;

/// `TOOLS`, in the order of `operations`.
pub(crate) fn registry(
    operations: &[&Operation],
    allowlist: &Allowlist,
    strangers: &StrangerTables,
) -> TokenStream {
    let strangers = stranger_fields(operations, strangers);
    let mut handlers = Vec::new();
    let tools: Vec<_> = operations
        .iter()
        .map(|operation| tool(operation, &mut handlers))
        .collect();
    let toolsets = allowlist.toolsets.iter().map(|(name, toolset)| {
        let description = &toolset.description;
        quote!((#name, #description))
    });
    quote! {
        // Which of these are used depends on the tools.
        #[allow(unused_imports)]
        use ::tool::{
            Argument, DateForm, DateWindow, DeepPaging, Effect, InnerDate, InnerTenant, ListStyle, Media, V3Variant, Next, Paging, PagingStyle,
            Place, ReadBack, Rename, Role, Rule, StrangerFields, TokenClass, Tool,
        };

        /// Every tool, sorted by name.
        pub static TOOLS: &[Tool] = &[#(#tools),*];

        /// What makes the requests, by `Tool::handler`.
        pub static HANDLERS: &[crate::catalog::prepare::Prepare] = &[#(#handlers),*];

        /// The toolsets of the allowlist with their descriptions.
        pub static TOOLSETS: &[(&str, &str)] = &[#(#toolsets),*];

        /// Which fields of answers hold other people's words, by document.
        pub static STRANGERS: &[StrangerFields] = &[#(#strangers),*];

        /// The search index over `TOOLS`, in their order.
        pub static SEARCH_INDEX: &str = include_str!(concat!(env!("OUT_DIR"), "/search.json"));
    }
}

/// The tables of the documents that have tools.
fn stranger_fields(operations: &[&Operation], strangers: &StrangerTables) -> Vec<TokenStream> {
    let paths = |fields: &[String]| {
        let paths = fields.iter().map(|field| {
            let steps = field.split('.');
            quote!(&[#(#steps),*])
        });
        quote!(&[#(#paths),*])
    };
    let has_tools = |document: &str| operations.iter().any(|one| one.document == document);
    let tables = strangers.0.iter().filter(|(name, _)| has_tools(name));
    tables
        .map(|(document, table)| {
            let (texts, labels) = (paths(&table.texts), paths(&table.labels));
            quote!(StrangerFields { document: #document, texts: #texts, labels: #labels })
        })
        .collect()
}

fn tool(operation: &Operation, handlers: &mut Vec<Ident>) -> TokenStream {
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
        summary_fields,
        answers,
        ..
    } = operation;
    let effect = variant("Effect", operation.effect);
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
    let inner_dates = operation.inner_dates.iter().map(|date| {
        let (steps, form) = (&date.steps, variant("DateForm", date.form));
        quote!(InnerDate { steps: &[#(#steps),*], form: #form })
    });
    let timezone = optional(operation.timezone.as_ref());
    let windows = operation
        .windows
        .iter()
        .map(|[start, end]| quote!(DateWindow { start: #start, end: #end }));
    let paging = paging(&operation.paging);
    let media = variant("Media", operation.media);
    let answer_media = optional(operation.answer_media.as_ref());
    let token = variant("TokenClass", operation.token);
    let advertised = operation.advertised_schema.to_string();
    let check = operation.check_schema.to_string();
    let read_back = match &operation.read_back {
        None => quote!(None),
        Some(back) => {
            let (sent, found) = (&back.sent, back.found.split('.'));
            let texts = &back.texts;
            quote!(Some(ReadBack { sent: #sent, found: &[#(#found),*], texts: &[#(#texts),*] }))
        }
    };
    let replaced_by = optional(operation.replaced_by.as_ref());
    let handler = handlers.len();
    handlers.push(handler_name(operation));
    let v3 = match &operation.v3 {
        V3Operation::None => quote!(V3Variant::None),
        V3Operation::Same(version) => quote!(V3Variant::Same(#version)),
        V3Operation::Other(v3) => {
            let v3 = self::tool(v3, handlers);
            // A separate constant, because a static table cannot refer to its own elements.
            quote!(V3Variant::Other({
                static V3: Tool = #v3;
                &V3
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
            replaced_by: #replaced_by,
            scopes: &[#(#scopes),*],
            access: &[#(#access),*],
            arguments: &[#(#arguments),*],
            inner_tenants: &[#(#inner_tenants),*],
            inner_dates: &[#(#inner_dates),*],
            timezone: #timezone,
            windows: &[#(#windows),*],
            renames: &[#(#renames),*],
            paging: #paging,
            summary_fields: &[#(#summary_fields),*],
            answers: &[#(#answers),*],
            read_back: #read_back,
            token: #token,
            media: #media,
            answer_media: #answer_media,
            advertised_schema: #advertised,
            check_schema: #check,
            handler: #handler,
            v3: #v3,
        }
    }
}

fn paging(paging: &PagingAnnotation) -> TokenStream {
    let style = variant("PagingStyle", paging.style);
    let page_size = optional(paging.page_size.as_ref());
    let narrow = optional(paging.narrow.as_ref());
    let position = optional(paging.position.as_ref());
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
    let deep = optional(paging.deep.as_ref().map(|deep| {
        let (rows, argument, members) = (deep.rows, &deep.argument, &deep.members);
        quote!(DeepPaging { rows: #rows, argument: #argument, members: &[#(#members),*] })
    }));
    quote! {
        Paging {
            style: #style,
            page_size: #page_size,
            rows: #rows,
            narrow: #narrow,
            position: #position,
            first: #first,
            next: &[#(#next),*],
            more: #more,
            total: #total,
            deep: #deep,
        }
    }
}

fn argument(argument: &OperationArgument) -> TokenStream {
    let OperationArgument {
        name,
        wire_name,
        wide,
        file,
        ..
    } = argument;
    let aliases = names(argument).into_iter().filter(|alias| alias != name);
    let place = variant("Place", argument.place);
    let role = role(argument.role, argument.rule);
    let date_form = optional(argument.date.map(|form| variant("DateForm", form)));
    let list_style = optional(argument.list.map(|style| variant("ListStyle", style)));
    let when_absent = argument
        .constant
        .as_ref()
        .or(argument.default_sent.as_ref());
    let when_absent = optional(when_absent.map(ToString::to_string));
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

fn optional(value: Option<impl ToTokens>) -> TokenStream {
    value.map_or_else(|| quote!(None), |value| quote!(Some(#value)))
}

/// A variant without fields of one of the enums that generator and server share.
fn variant(of: &str, value: impl Debug) -> TokenStream {
    let (of, name) = (format_ident!("{of}"), format_ident!("{value:?}"));
    quote!(#of::#name)
}

fn role(role: TenantRole, rule: Rule) -> TokenStream {
    let rule = variant("Rule", rule);
    match role {
        TenantRole::None => quote!(Role::None),
        TenantRole::Location => quote!(Role::Location(#rule)),
        TenantRole::Company => quote!(Role::Company(#rule)),
    }
}
