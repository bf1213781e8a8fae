"""Control: what people answered to messages, for who looks at a chat from outside."""

import msgspec

from waxbill.api.operation import Call
from waxbill.model import ids
from waxbill.model.wire import Answer, Count, Request

from .calling import account_of, control_area

area = control_area()


class AnswersQuery(Request):
    """A window of the chat's messages, counted from the newest."""

    limit: Count | None = 50
    offset: Count | None = 0


class Answered(Answer, rename={"from_": "from"}):
    """Somebody's reaction to a message, or their choice in a poll."""

    from_: str
    reaction: str = ""
    votes: list[str] = msgspec.field(default_factory=list)


class Answers(Answer):
    """A message and what people answered to it."""

    messageId: str
    answers: list[Answered]


@area.get("/chats/{chatId}/answers", scope="read")
def list_answers(call: Call, chatId: str, query: AnswersQuery) -> list[Answers]:  # noqa: N803
    """List the reactions and votes that messages of a chat got; engines show them in events only."""
    found = account_of(call).answers(ids.chat_id(chatId), min(query.limit or 50, 1000), query.offset or 0)
    return [
        Answers(
            messageId=message,
            answers=[Answered(from_=each.who, reaction=each.text) for each in reactions]
            + [Answered(from_=each.who, votes=each.options) for each in votes],
        )
        for message, reactions, votes in found
    ]
