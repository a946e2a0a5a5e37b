"""A chat model without a model: it does agent.py's task step by step, each from the answers before."""

import json
from datetime import datetime, timedelta, timezone

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult

WELCOME = "Hi, welcome! Reply here and we find you a time."


class Scripted(BaseChatModel):
    @property
    def _llm_type(self):
        return "scripted"

    def bind_tools(self, tools, **_):
        return self

    def _generate(self, messages, stop=None, run_manager=None, **_):
        answers = [json.loads(text_of(message)) for message in messages if message.type == "tool"]
        message = next_step(answers)
        return ChatResult(generations=[ChatGeneration(message=message)])


def next_step(answers):
    """One tool call, or the last word, given the answers to the calls so far."""
    if not answers:
        return call("contacts_get-contacts", limit=100)
    recent = last_week(answers[0]["contacts"])
    newest = recent[0]
    match len(answers):
        case 1 | 2:
            contact = recent[len(answers) - 1]
            return call("contacts_add-tags", contactId=contact["id"], tags=["new-this-week"])
        case 3:
            return call("conversations_send-a-new-message", type="SMS", contactId=newest["id"], message=WELCOME)
        case 4:
            return call("conversations_get-messages", conversationId=answers[3]["conversationId"], limit=5)
        case 5:
            return call("opportunities_search-opportunity", status="open", limit=20)
        case 6:
            return call("opportunities_get-pipelines")
        case 7:
            deal, stage = movable(answers[5]["opportunities"], answers[6]["pipelines"])
            return call("opportunities_update-opportunity", id=deal["id"], pipelineStageId=stage["id"])
    messages = answers[4]["messages"]["messages"]
    if all(message.get("body") != WELCOME for message in messages):
        raise ValueError("the message is not in the conversation")
    deal, stage = movable(answers[5]["opportunities"], answers[6]["pipelines"])
    if answers[7]["opportunity"]["pipelineStageId"] != stage["id"]:
        raise ValueError("the deal was not moved")
    return AIMessage(
        f"{len(recent)} contacts came in the last seven days; {newest['contactName']} and {recent[1]['contactName']} "
        f"have the tag new-this-week. {newest['contactName']} was texted, and the message is in the conversation. "
        f"The deal \"{deal['name']}\" is now in the stage {stage['name']}."
    )


def call(name, **arguments):
    return AIMessage("", tool_calls=[{"name": name, "args": arguments, "id": name}])


def last_week(contacts):
    since = datetime.now(timezone.utc) - timedelta(days=7)
    added = lambda contact: datetime.fromisoformat(contact["dateAdded"])
    return sorted((one for one in contacts if added(one) >= since), key=added, reverse=True)


def movable(deals, pipelines):
    """The first deal that has a next stage, and that stage."""
    stages = {pipeline["id"]: pipeline["stages"] for pipeline in pipelines}
    for deal in deals:
        here = stages[deal["pipelineId"]]
        at = [stage["id"] for stage in here].index(deal["pipelineStageId"])
        if at + 1 < len(here):
            return deal, here[at + 1]
    raise ValueError("no open deal has a next stage")


def text_of(message):
    blocks = message.content
    return blocks if isinstance(blocks, str) else "".join(block.get("text", "") for block in blocks)
