//! Answers MCP requests: lists a surface's tools, calls them through dispatch.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use rmcp::ErrorData;
use rmcp::ServerHandler;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock,
    CustomRequest, CustomResult, DiscoverResult, ErrorCode, Implementation, ListToolsResult,
    PaginatedRequestParams, ProgressNotificationParam, ServerCapabilities, ServerConfig,
};
use rmcp::service::{RequestContext, RoleServer};

use crate::call::{CallContext, Principal};
use crate::generated::TOOLS;
use crate::mcp::asking;
use crate::mcp::listing::{FRESH_MS, list};
use crate::runtime::tool::Tool;
use crate::telemetry::Parent;
use crate::tools::compat::{self, Compat};
use crate::tools::dispatch::Dispatch;
use crate::tools::legacy;
use crate::tools::orchestrator::{self, Kind, Meta, meta_tools};
use crate::tools::surfaces::{MetaTools, Style, Surface};

/// One client reads no more than 2,048 characters.
const INSTRUCTIONS: &str = "HighLevel (GoHighLevel, LeadConnector) CRM of one location (sub-account): \
contacts, conversations and messages, calendars, opportunities and pipelines, payments, custom fields. \
The location comes from the connection; give locationId only to name another one. Custom fields of a \
contact carry ids: locations_get-custom-fields names them. Before writing, read the record. \
conversations_send-a-new-message reaches a real person at once. An error is JSON: its class and remedy \
say what to do: unknown_outcome means to look before repeating, needs_confirmation to repeat the call with the confirm \
that it gives, once the user wants it. An answer with _cut is not complete.";

/// Follows the instructions where a surface has the orchestrator.
const BEYOND: &str = " Whatever no tool of the list does: search_operations finds the operation, and \
call_read, call_write, call_send or call_destructive runs it by its name.";

/// Stands before the instructions where HighLevel is the built-in sandbox.
const SANDBOX: &str =
    "This is a sandbox: made-up records of a simulated HighLevel; no message reaches anybody. ";

/// Methods that this server answers.
const KNOWN_METHODS: [&str; 5] = [
    "initialize",
    "ping",
    "server/discover",
    "tools/list",
    "tools/call",
];

/// What a name means.
#[derive(Clone, Copy)]
enum Called {
    Tool(&'static Tool),
    Meta(Meta),
    Compat(Compat),
}

/// Serves one surface. Cheap to clone.
#[derive(Clone)]
pub struct Handler(Arc<Inner>);

struct Inner {
    surface: Surface,
    /// The surface's own tools, which come before operations of the same name.
    own: HashMap<&'static str, Called>,
    dispatch: Dispatch,
    /// Who calls where the request does not say: under stdio.
    principal: Option<Principal>,
}

impl Handler {
    pub fn new(surface: Surface, dispatch: Dispatch, principal: Option<Principal>) -> Self {
        let own = own_names(&surface);
        Self(Arc::new(Inner {
            surface,
            own,
            dispatch,
            principal,
        }))
    }

    /// What a name, or another name of a tool, means here.
    fn find(&self, name: &str) -> Option<Called> {
        let own = self.0.own.get(name).copied();
        own.or_else(|| listed_tool(&self.0.surface, name).map(Called::Tool))
    }

    /// The tool, or an error that names the nearest one.
    fn called(&self, name: &str) -> Result<Called, ErrorData> {
        self.find(name).ok_or_else(|| {
            let shown: String = name.chars().take(64).collect();
            let hint = match self.0.surface.nearest(name) {
                Some(tool) => format!("did you mean {}?", tool.name),
                None => "tools/list names all of them.".to_owned(),
            };
            ErrorData::invalid_params(format!("There is no tool {shown}; {hint}"), None)
        })
    }

    /// The principal that the host put into the HTTP request.
    fn principal(&self, context: &RequestContext<RoleServer>) -> Result<Principal, ErrorData> {
        context
            .extensions
            .get::<http::request::Parts>()
            .and_then(|parts| parts.extensions.get::<Principal>())
            .or(self.0.principal.as_ref())
            .cloned()
            .ok_or_else(|| ErrorData::internal_error("The request has no credential.", None))
    }

    /// Lists that are the same for everyone may be kept by anyone.
    fn scope(&self) -> CacheScope {
        if self.0.dispatch.hides_anything() {
            CacheScope::Private
        } else {
            CacheScope::Public
        }
    }

    fn asker(
        &self,
        request: &CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallContext, ErrorData> {
        Ok(CallContext {
            principal: self.principal(context)?,
            parent: parent(context),
            surface: self.0.surface.name.clone(),
            client: asking::client(context),
            elicitation: asking::elicitation(request, context),
        })
    }

    /// Whether `name` is shown to the principal: what its rules deny is on no list.
    fn is_shown(&self, name: &str, principal: &Principal) -> bool {
        let dispatch = &self.0.dispatch;
        match self.find(name) {
            Some(Called::Tool(tool)) => dispatch.shows(tool, principal),
            Some(Called::Meta(Meta::Call(kind))) => TOOLS
                .iter()
                .any(|tool| Kind::of(tool) == kind && dispatch.shows(tool, principal)),
            _ => true,
        }
    }
}

/// The tools that stand for all operations.
fn own_names(surface: &Surface) -> HashMap<&'static str, Called> {
    match surface.meta {
        MetaTools::None => HashMap::new(),
        MetaTools::Orchestrator => meta_tools(surface.read_only)
            .into_iter()
            .map(|tool| (tool.name, Called::Meta(tool.meta)))
            .collect(),
        MetaTools::Compat => compat::tools()
            .into_iter()
            .map(|(compat, name, ..)| (name, Called::Compat(compat)))
            .collect(),
    }
}

/// The tool of this name or alias, where the surface lists it. The names of all tools are kept once for all surfaces.
fn listed_tool(surface: &Surface, name: &str) -> Option<&'static Tool> {
    static ALL: LazyLock<HashMap<&'static str, Vec<&'static Tool>>> = LazyLock::new(|| {
        let mut all: HashMap<_, Vec<_>> = HashMap::new();
        // A tool's own name comes before another's alias.
        for tool in TOOLS {
            all.entry(tool.name).or_default().insert(0, tool);
            for alias in tool.aliases {
                all.entry(*alias).or_default().push(tool);
            }
        }
        all
    });
    let is_listed = |tool: &&&Tool| {
        let place = surface
            .tools
            .binary_search_by(|one| one.name.cmp(tool.name));
        place.is_ok()
    };
    ALL.get(name)?.iter().find(is_listed).copied()
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let name = self.0.surface.name.as_str();
        let mut server = Implementation::new(name, env!("CARGO_PKG_VERSION"));
        let mut instructions = INSTRUCTIONS.to_owned();
        if self.0.surface.meta == MetaTools::Orchestrator {
            instructions.push_str(BEYOND);
        }
        if self.0.dispatch.is_simulated() {
            server.name.push_str("-sandbox");
            server.title = Some("HighLevel sandbox".to_owned());
            instructions.insert_str(0, SANDBOX);
        }
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(server)
            .with_instructions(instructions)
    }

    async fn discover(&self, _: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let versions = self.supported_protocol_versions().into_owned();
        Ok(DiscoverResult::from_server_info(versions, self.get_info())
            .with_ttl_ms(FRESH_MS)
            .with_cache_scope(self.scope()))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let broken =
            |error| ErrorData::internal_error(format!("A tool's schema is broken: {error}"), None);
        let mut list = list(&self.0.surface).map_err(broken)?;
        list.cache_scope = Some(self.scope());
        if self.0.dispatch.hides_anything() {
            let principal = self.principal(&context)?.for_lists();
            list.tools
                .retain(|tool| self.is_shown(&tool.name, &principal));
        }
        Ok(list)
    }

    /// What the library cannot read as any request it knows.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let method: String = request.method.chars().take(64).collect();
        Err(if KNOWN_METHODS.contains(&method.as_str()) {
            let what = format!(
                "The parameters of {method} are not of the form that the protocol gives them."
            );
            ErrorData::invalid_params(what, None)
        } else {
            let what = format!("There is no method {method}.");
            ErrorData::new(ErrorCode::METHOD_NOT_FOUND, what, None)
        })
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let called = self.called(&request.name)?;
        let asker = self.asker(&request, &context)?;
        let arguments = request.arguments.unwrap_or_default();
        let progress = progress(&context);
        let asked = orchestrator::Request {
            dispatch: &self.0.dispatch,
            asker: &asker,
            read_only: self.0.surface.read_only,
            progress: &progress,
        };
        // Boxed: seven kilobytes of state, which the library would move several times.
        let answered = Box::pin(async {
            match called {
                Called::Tool(tool) => {
                    let answer = self.0.dispatch.call(tool, arguments, &asker).await;
                    match self.0.surface.style {
                        Style::Plain => answer,
                        Style::Legacy => legacy::wrapped(tool, answer),
                    }
                }
                Called::Meta(meta) => orchestrator::call(meta, arguments, &asked).await,
                Called::Compat(compat) => compat::call(compat, arguments, &asked).await,
            }
        });
        // A tool that does not look at the token runs on after its client has gone.
        let answer = tokio::select! {
            answer = answered => answer,
            () = context.ct.cancelled() => {
                return Err(ErrorData::internal_error("The call was cancelled.", None));
            }
        };
        if let Some(question) = answer.question {
            return Ok(asking::input_required(*question).into());
        }
        let content = vec![ContentBlock::text(answer.text)];
        let result = if answer.is_error {
            CallToolResult::error(content)
        } else {
            CallToolResult::success(content)
        };
        Ok(result.into())
    }
}

/// Tells a client that asked for it how far a batch is, where the transport can carry it.
fn progress(context: &RequestContext<RoleServer>) -> orchestrator::Progress {
    let Some(token) = context.meta.get_progress_token() else {
        return Box::new(|_, _| {});
    };
    let peer = context.peer.clone();
    Box::new(move |done, of| {
        #[expect(clippy::cast_precision_loss, reason = "at most a hundred")]
        let told = ProgressNotificationParam::new(token.clone(), done as f64).with_total(of as f64);
        let peer = peer.clone();
        tokio::spawn(async move { peer.notify_progress(told).await });
    })
}

/// The client's span: `_meta` comes before the headers, which a proxy may have set.
fn parent(context: &RequestContext<RoleServer>) -> Parent {
    let headers = context.extensions.get::<http::request::Parts>();
    let field = |name: &str| {
        let meta = context.meta.get(name).and_then(|value| value.as_str());
        meta.or_else(|| headers?.headers.get(name)?.to_str().ok())
            .map(str::to_owned)
    };
    Parent {
        traceparent: field("traceparent"),
        tracestate: field("tracestate"),
    }
}
