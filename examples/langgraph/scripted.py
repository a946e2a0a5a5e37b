"""A chat model without a model: it does agent.py's task step by step, each from the answers before."""

import json
from datetime import datetime, timedelta, timezone

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult

TASK = (
    "Find the contacts of the last seven days, tag the two newest with 'new-this-week', text the newest one a welcome, "
    "look the message up in the conversation, and move the newest open deal to its next stage."
)
WELCOME = "Hi, welcome! Reply here and we find you a time."


class Scripted(BaseChatModel):
    @property
    def _llm_type(self):
        return "scripted"

    def bind_tools(self, tools, **_):
        return self

    def _generate(self, messages, stop=None, run_manager=None, **_):
        answers = {
            message.tool_call_id: json.loads(text_of(message)) for message in messages if message.type == "tool"
        }
        return ChatResult(generations=[ChatGeneration(message=next_step(answers))])


def next_step(answers):
    """The first call of the plan that has no answer yet, or the last word."""
    for step in plan(answers):
        if step.tool_calls[0]["id"] not in answers:
            return step
    return AIMessage(last_word(answers))


def plan(answers):
    """The calls in their order; what comes after a call is worked out once it has its answer. Reads come first."""
    yield call("contacts", "contacts_get-contacts", limit=100)
    yield call("deals", "opportunities_search-opportunity", status="open", limit=20)
    yield call("pipelines", "opportunities_get-pipelines")
    recent = last_week(answers["contacts"])
    for number, contact in enumerate(recent[:2]):
        yield call(f"tag-{number}", "contacts_add-tags", contactId=contact["id"], tags=["new-this-week"])
    if recent:
        yield call(
            "text", "conversations_send-a-new-message", type="SMS", contactId=recent[0]["id"], message=WELCOME
        )
        if conversation := answers["text"].get("conversationId"):
            yield call("conversation", "conversations_get-messages", conversationId=conversation, limit=5)
    if move := movable(answers["deals"], answers["pipelines"]):
        deal, stage = move
        yield call("move", "opportunities_update-opportunity", id=deal["id"], pipelineStageId=stage["id"])


def last_word(answers):
    recent = last_week(answers["contacts"])
    said = [f"{len(recent)} contacts came in the last seven days."]
    if any("not_done" in answer for answer in answers.values()):
        return said[0] + " Nothing was changed and nobody was texted."
    if recent:
        names = " and ".join(contact.get("contactName") or contact["id"] for contact in recent[:2])
        said.append(f"Tagged with new-this-week: {names}. The newest was texted, {whether_found(answers)}.")
    if "move" in answers:
        deal, stage = movable(answers["deals"], answers["pipelines"])
        said.append(f"The deal \"{deal['name']}\" is now in the stage {stage['name']}.")
    else:
        said.append("No open deal has a next stage.")
    return " ".join(said)


def whether_found(answers):
    messages = answers.get("conversation", {}).get("messages", {}).get("messages", [])
    if any(message.get("body") == WELCOME for message in messages):
        return "and the message is in the conversation"
    return "but the message is not in the conversation yet"


def call(step, name, /, **arguments):
    return AIMessage("", tool_calls=[{"name": name, "args": arguments, "id": step}])


def last_week(answer):
    since = datetime.now(timezone.utc) - timedelta(days=7)
    added = lambda contact: datetime.fromisoformat(contact["dateAdded"])
    dated = [contact for contact in answer.get("contacts", []) if contact.get("dateAdded")]
    return sorted((one for one in dated if added(one) >= since), key=added, reverse=True)


def movable(deals, pipelines):
    """The first deal that has a next stage, and that stage; None where there is none."""
    stages = {pipeline["id"]: pipeline["stages"] for pipeline in pipelines.get("pipelines", [])}
    for deal in deals.get("opportunities", []):
        here = stages.get(deal["pipelineId"], [])
        ids = [stage["id"] for stage in here]
        if deal["pipelineStageId"] in ids[:-1]:
            return deal, here[ids.index(deal["pipelineStageId"]) + 1]
    return None


def text_of(message):
    blocks = message.content
    return blocks if isinstance(blocks, str) else "".join(block.get("text", "") for block in blocks)
