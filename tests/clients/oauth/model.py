"""A model of one sentence, for agents without one: it calls contacts_get-contact, and says what came back.

Speaks as Anthropic's /v1/messages, OpenAI's /v1/responses and /v1/chat/completions do, each as a stream or whole. Prints its
URL. What it was shown of tools stands at /__seen.
"""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WANTED = "contacts_get-contact"
ARGUMENTS = {"contactId": "c1"}
SEEN = {"tools": [], "requests": []}


def plain(name):
    return name.replace("-", "_").lower()


def pick(names):
    """The tool to call; agents put the server's name before it, and some change letters."""
    return next((name for name in names if plain(name).endswith(plain(WANTED))), None)


def turn(names, results, search=None):
    """What the model says next: ("call", name, arguments) or ("text", words)."""
    SEEN["tools"] = sorted(set(SEEN["tools"]) | set(names))
    name = pick(names)
    if any("Ada" in result for result in results):
        return "text", "DONE Ada"
    if name and not results:
        return "call", name, ARGUMENTS
    if name and search and len(results) == 1:
        return "call", name, ARGUMENTS
    if search and not results:
        return "call", search, {"query": WANTED}
    return "text", "NOTHING " + " | ".join(results)[:2000]


def texts(value):
    """Every text within."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return " ".join(texts(one) for key, one in value.items() if key != "type")
    if isinstance(value, list):
        return " ".join(texts(one) for one in value)
    return ""


def anthropic(asked):
    names = [tool.get("name", "") for tool in asked.get("tools", [])]
    results = [
        texts(block.get("content"))
        for message in asked["messages"]
        if isinstance(message["content"], list)
        for block in message["content"]
        if block.get("type") == "tool_result"
    ]
    # Tools that are not listed at once are found by a tool of the agent's.
    search = next((name for name in names if name == "ToolSearch"), None)
    said = turn(names, results, search)
    if said[0] == "text":
        block, stop = {"type": "text", "text": said[1]}, "end_turn"
        start, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": said[1]}
    else:
        block, stop = {"type": "tool_use", "id": f"toolu_{len(results)}", "name": said[1], "input": said[2]}, "tool_use"
        start, delta = {**block, "input": {}}, {"type": "input_json_delta", "partial_json": json.dumps(said[2])}
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": asked.get("model", "m"), "content": [block], "stop_reason": stop, "stop_sequence": None, "usage": usage}
    begun = {**message, "content": [], "stop_reason": None}
    events = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": start},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ]
    return message, [(event["type"], event) for event in events]


def flatten(tools):
    """Tools and those within namespaces: name, and namespace."""
    for tool in tools:
        if tool.get("type") == "namespace" or "tools" in tool:
            for name, _ in flatten(tool.get("tools", [])):
                yield name, tool.get("name")
        else:
            yield tool.get("name") or tool.get("function", {}).get("name") or tool.get("type", ""), None


def responses(asked):
    tools = list(flatten(asked.get("tools", [])))
    items = asked["input"] if isinstance(asked["input"], list) else []
    results = [texts(item.get("output")) for item in items if item.get("type") == "function_call_output"]
    said = turn([name for name, _ in tools], results)
    if said[0] == "text":
        item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": said[1], "annotations": []}]}
    else:
        item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "status": "completed", "name": said[1], "arguments": json.dumps(said[2])}
        space = dict(tools).get(said[1])
        if space:
            item["namespace"] = space
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2, "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    whole = {"id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": asked.get("model", "m"), "output": [item], "usage": usage}
    events = [
        {"type": "response.created", "response": {**whole, "status": "in_progress", "output": [], "usage": None}},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]
    return whole, [(event["type"], event) for event in events]


def chat(asked):
    names = [tool["function"]["name"] for tool in asked.get("tools", [])]
    results = [texts(message.get("content")) for message in asked["messages"] if message["role"] == "tool"]
    said = turn(names, results)
    if said[0] == "text":
        message, stop = {"role": "assistant", "content": said[1]}, "stop"
    else:
        call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": said[1], "arguments": json.dumps(said[2])}}
        message, stop = {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
    head = {"id": "chatcmpl-1", "created": 1, "model": asked.get("model", "m")}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    whole = {**head, "object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": stop}], "usage": usage}
    part = {**head, "object": "chat.completion.chunk"}
    events = [
        {**part, "choices": [{"index": 0, "delta": message, "finish_reason": None}]},
        {**part, "choices": [{"index": 0, "delta": {}, "finish_reason": stop}], "usage": usage},
        "[DONE]",
    ]
    return whole, [(None, event) for event in events]


class Model(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/__seen":
            return self.whole(SEEN)
        self.whole({"object": "list", "data": [{"id": "scripted", "object": "model", "created": 1, "owned_by": "tests"}]})

    def do_HEAD(self):
        self.whole({})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or "{}")
        path = self.path.split("?")[0]
        SEEN["requests"] = (SEEN["requests"] + [path])[-50:]
        if path.endswith("/count_tokens"):
            return self.whole({"input_tokens": 1})
        answers = {"/messages": anthropic, "/responses": responses, "/completions": chat}
        answer = next((answer for end, answer in answers.items() if path.endswith(end)), None)
        if answer is None:
            return self.whole({})
        whole, events = answer(asked)
        if not asked.get("stream"):
            return self.whole(whole)
        lines = "".join(
            (f"event: {name}\n" if name else "") + f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n" for name, event in events
        )
        self.send(lines.encode(), "text/event-stream")

    def whole(self, value):
        self.send(json.dumps(value).encode(), "application/json")

    def send(self, data, content):
        self.send_response(200)
        self.send_header("content-type", content)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
