//! Answers MCP requests: lists a surface's tools, and calls them through its surfaces.

use std::sync::{Arc, LazyLock};

use ::http::request::Parts;
use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use rmcp::ErrorData;
use rmcp::ServerHandler;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock,
    CustomRequest, CustomResult, DiscoverResult, ErrorCode, Icon, Implementation,
    InitializeRequestParams, InitializeResult, JsonObject, ListToolsResult, PaginatedRequestParams,
    ProgressNotificationParam, ProtocolVersion, RequestMetaObject, ResourceContents,
    ServerCapabilities, ServerConfig,
};
use rmcp::service::{RequestContext, RoleServer};

use crate::call::shares::CallPlace;
use crate::call::{CallContext, Pipeline, Principal, Progress};
use crate::mcp::asking;
use crate::mcp::instructions::instructions;
use crate::mcp::listing::{FRESH_MS, list};
use crate::mcp::long_text::{LongText, fill_in};
use crate::mcp::plain_call::{PlainCall, answer_frame};
use crate::surfaces::mention::remedied;
use crate::surfaces::{Endpoint, Session, Surface};
use crate::telemetry::{CallEnd, Parent};
use crate::upstream::UpstreamFile;
use tool::LONGEST_NAME;

/// Methods that this server answers.
const KNOWN_METHODS: [&str; 5] = [
    "initialize",
    "ping",
    "server/discover",
    "tools/list",
    "tools/call",
];

/// The methods that MCP 2026-07-28 removed.
const REMOVED_METHODS: [&str; 2] = ["initialize", "ping"];

/// Serves one surface. Cheap to clone.
#[derive(Clone)]
pub struct Handler(Arc<HandlerInner>);

struct HandlerInner {
    /// Stored, because the library asks for it at every request.
    info: ServerConfig,
    endpoint: Endpoint,
    pipeline: Pipeline,
    /// The caller if the request does not name one: under stdio.
    principal: Option<Principal>,
}

impl Handler {
    pub fn new(endpoint: Endpoint, pipeline: Pipeline, principal: Option<Principal>) -> Self {
        Self(Arc::new(HandlerInner {
            info: info(&endpoint, pipeline.is_simulated()),
            endpoint,
            pipeline,
            principal,
        }))
    }

    /// Answers a plain call over HTTP with a frame.
    pub async fn answer(&self, call: PlainCall, parts: &Parts) -> serde_json::Result<Vec<u8>> {
        let PlainCall {
            id,
            tool,
            arguments,
        } = call;
        let long = LongText::default();
        let answer = match self.plain_context(parts) {
            Ok(context) => {
                let call = self.call(&tool, arguments, &context, &|_, _| {}, Some(&long));
                call.await
            }
            Err(error) => Err(error),
        };
        let written = answer_frame(id, answer)?;
        let filled = long.close().and_then(|text| fill_in(&written, &text));
        Ok(filled.unwrap_or(written))
    }

    /// The surface with a tool of this name. The error leads to the right endpoint or tool, or gives the nearest name
    /// that the caller may see.
    fn surface(&self, name: &str, principal: &Principal) -> Result<&dyn Surface, ErrorData> {
        if let Some((surface, _)) = self.0.endpoint.resolve(name) {
            return Ok(surface);
        }
        let watch = self.0.pipeline.telemetry().call(
            "unknown",
            "read",
            principal.who(),
            &Parent::default(),
        );
        watch.end("unknown_tool", CallEnd::default());
        let shown: String = name.chars().take(LONGEST_NAME).collect();
        let (endpoint, pipeline) = (&self.0.endpoint, &self.0.pipeline);
        let way = endpoint.way_to(name, |tool| pipeline.is_visible(tool, principal));
        let what = way.unwrap_or_else(|| {
            let hint = match endpoint.nearest(name, pipeline, principal) {
                Some(near) => format!("did you mean {near}?"),
                None => "tools/list names all of them.".to_owned(),
            };
            format!("There is no tool {shown}; {hint}")
        });
        tracing::info!(reason = what, "refused");
        Err(ErrorData::invalid_params(what, None))
    }

    /// The principal that the host put into the HTTP request.
    fn principal(&self, parts: Option<&Parts>) -> Result<Principal, ErrorData> {
        parts
            .and_then(|parts| parts.extensions.get::<Principal>())
            .or(self.0.principal.as_ref())
            .cloned()
            .ok_or_else(|| ErrorData::internal_error("The request has no credential.", None))
    }

    /// Anybody may cache a list that is the same for everyone.
    fn scope(&self) -> CacheScope {
        if self.0.pipeline.hides_anything() {
            CacheScope::Private
        } else {
            CacheScope::Public
        }
    }

    /// Notes the arrival of a client, for the person who connects it and waits.
    fn note_arrival(&self, principal: &Principal, client: Option<&str>, tool: Option<&str>) {
        let arrivals = &self.0.pipeline.telemetry().arrivals;
        arrivals.note(principal.who(), client, tool);
    }

    fn context(
        &self,
        request: &CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallContext, ErrorData> {
        let parts = context.extensions.get::<Parts>();
        Ok(CallContext {
            principal: self.principal(parts)?,
            parent: parent(parts, Some(&context.meta)),
            surface: self.0.endpoint.name.clone(),
            client: asking::client(context),
            elicitation: asking::elicitation(request, context),
            pages: asking::pages(request, context),
            place: place(parts),
        })
    }

    /// The context of a plain call over HTTP.
    fn plain_context(&self, parts: &Parts) -> Result<CallContext, ErrorData> {
        let (elicitation, pages) = asking::over_http(parts);
        Ok(CallContext {
            principal: self.principal(Some(parts))?,
            parent: parent(Some(parts), None),
            surface: self.0.endpoint.name.clone(),
            client: None,
            elicitation,
            pages,
            place: place(Some(parts)),
        })
    }

    /// Answers a call of the tool of this name. A long text of the answer is kept in `long`, if given.
    async fn call(
        &self,
        name: &str,
        arguments: Option<JsonObject>,
        context: &CallContext,
        progress: &Progress,
        long: Option<&LongText>,
    ) -> Result<CallToolResponse, ErrorData> {
        let surface = self.surface(name, &context.principal)?;
        self.note_arrival(&context.principal, context.client.as_deref(), Some(name));
        let session = Session {
            pipeline: &self.0.pipeline,
            context,
            read_only: self.0.endpoint.read_only,
            progress,
        };
        let arguments = arguments.unwrap_or_default();
        let answer = surface.call(name, arguments, &session).await;
        if let Some(question) = answer.question {
            return Ok(asking::input_required(*question).into());
        }
        let file = answer.file().map(embedded);
        let text = match answer.is_error {
            true => remedied(&self.0.endpoint, answer.text),
            false => answer.text,
        };
        let text = match long {
            Some(long) => long.keep(text),
            None => text,
        };
        let texts = std::iter::once(text).chain(answer.notes.map(String::from));
        let content = texts.map(ContentBlock::text).chain(file).collect();
        let result = if answer.is_error {
            CallToolResult::error(content)
        } else {
            CallToolResult::success(content)
        };
        Ok(result.into())
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        self.0.info.clone()
    }

    /// The handshake of versions before 2026-07-28. A request that names that version has none, even if its parameters
    /// look like a handshake.
    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        if has_no_handshake(context.meta.protocol_version().as_ref()) {
            return Err(no_method("initialize"));
        }
        context.peer.set_peer_info(request.clone());
        if let Ok(principal) = self.principal(context.extensions.get()) {
            self.note_arrival(&principal, Some(&request.client_info.name), None);
        }
        self.negotiate_initialize(&request)
    }

    async fn discover(&self, _: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let versions = self.supported_protocol_versions().into_owned();
        Ok(DiscoverResult::from_server_info(versions, self.get_info())
            .with_ttl_ms(FRESH_MS)
            .with_cache_scope(self.scope()))
    }

    async fn list_tools(
        &self,
        page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        // All tools are on one page, so a cursor was never issued.
        let cursor = page.and_then(|page| page.cursor);
        if cursor.is_some_and(|cursor| !cursor.is_empty()) {
            let what =
                "There is no such cursor: tools/list has one page; call it without a cursor.";
            return Err(ErrorData::invalid_params(what, None));
        }
        let broken =
            |error| ErrorData::internal_error(format!("A tool's schema is broken: {error}"), None);
        let mut list = list(&self.0.endpoint).map_err(broken)?;
        list.cache_scope = Some(self.scope());
        if self.0.pipeline.hides_anything() {
            let principal = self.principal(context.extensions.get())?;
            let endpoint = &self.0.endpoint;
            let is_visible = |name: &str| {
                let found = endpoint.resolve(name);
                found.is_some_and(|(_, tool)| tool.is_visible(&self.0.pipeline, &principal))
            };
            list.tools.retain(|tool| is_visible(&tool.name));
        }
        Ok(list)
    }

    /// A request that the library does not know.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let method: String = request.method.chars().take(64).collect();
        let is_removed = REMOVED_METHODS.contains(&method.as_str())
            && has_no_handshake(context.protocol_version().as_ref());
        Err(if KNOWN_METHODS.contains(&method.as_str()) && !is_removed {
            let what = format!(
                "The parameters of {method} are not of the form that the protocol gives them."
            );
            ErrorData::invalid_params(what, None)
        } else {
            no_method(&method)
        })
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let context_of_call = self.context(&request, &context)?;
        let progress = progress(&context);
        let long = long_text(&context);
        let answer = self.call(
            &request.name,
            request.arguments,
            &context_of_call,
            &*progress,
            long,
        );
        // A tool that ignores the cancellation token would run on after its client has gone.
        tokio::select! {
            answer = answer => answer,
            () = context.ct.cancelled() => {
                Err(ErrorData::internal_error("The call was cancelled.", None))
            }
        }
    }
}

fn no_method(method: &str) -> ErrorData {
    let what = format!("There is no method {method}.");
    ErrorData::new(ErrorCode::METHOD_NOT_FOUND, what, None)
}

/// Whether requests of this version are complete without a handshake.
fn has_no_handshake(version: Option<&ProtocolVersion>) -> bool {
    version.is_some_and(|version| !version.has_initialize())
}

/// A file in MCP's form for its media type.
fn embedded(file: &UpstreamFile) -> ContentBlock {
    let UpstreamFile {
        media_type,
        bytes,
        operation,
    } = file;
    let data = BASE64.encode(bytes);
    match media_type.split('/').next() {
        Some("audio") => ContentBlock::audio(data, media_type),
        Some("image") => ContentBlock::image(data, media_type),
        _ => ContentBlock::resource(ResourceContents::BlobResourceContents {
            // Names the embedded file. The server has no resources to read.
            uri: format!("highlevel:{operation}"),
            mime_type: Some(media_type.clone()),
            blob: data,
            meta: None,
        }),
    }
}

/// The icon that clients show beside the server's name. It is embedded, so clients need not fetch it.
static ICON: LazyLock<Icon> = LazyLock::new(|| {
    let data = BASE64.encode(include_str!("../icon.svg"));
    Icon::new(format!("data:image/svg+xml;base64,{data}"))
        .with_mime_type("image/svg+xml")
        .with_sizes(vec!["any".to_owned()])
});

/// The server's description of itself.
fn info(endpoint: &Endpoint, is_simulated: bool) -> ServerConfig {
    let name = endpoint.name.as_str();
    let title = if is_simulated {
        "HighLevel sandbox"
    } else {
        "HighLevel"
    };
    let mut server = Implementation::new(name, env!("CARGO_PKG_VERSION"))
        .with_title(title)
        .with_icons(vec![ICON.clone()]);
    if is_simulated {
        server.name.push_str("-sandbox");
    }
    ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
        .with_server_info(server)
        .with_instructions(instructions(endpoint, is_simulated))
}

/// The place where a long text waits until the answer is written. Under stdio there is none, and an answer after
/// progress notifications is a stream.
fn long_text(context: &RequestContext<RoleServer>) -> Option<&LongText> {
    let parts = context.extensions.get::<Parts>();
    let has_progress = context.meta.get_progress_token().is_some();
    parts?.extensions.get().filter(|_| !has_progress)
}

/// Reports a batch's progress to a client that asked for it, if the transport supports that.
fn progress(context: &RequestContext<RoleServer>) -> Box<Progress> {
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
fn parent(parts: Option<&Parts>, meta: Option<&RequestMetaObject>) -> Parent {
    let field = |name: &str| {
        let given = meta.and_then(|meta| meta.get(name)?.as_str());
        given
            .or_else(|| parts?.headers.get(name)?.to_str().ok())
            .map(str::to_owned)
    };
    Parent {
        traceparent: field("traceparent"),
        tracestate: field("tracestate"),
    }
}

fn place(parts: Option<&Parts>) -> Option<CallPlace> {
    parts?.extensions.get::<CallPlace>().cloned()
}
