"""Cutting a reply of the queue into its entries, and knowing what is no reply of a queue at all."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any, TypeVar, cast

import msgspec

from backends.http.errors import UnexpectedResponseError, short_url
from backends.http.response import Response
from backends.taskcluster.models import ArtifactsEnvelope, DefinitionsEnvelope, StatusesEnvelope, TasksEnvelope

Envelope = TypeVar("Envelope", TasksEnvelope, ArtifactsEnvelope, StatusesEnvelope, DefinitionsEnvelope)
TASKS = msgspec.json.Decoder(TasksEnvelope)
STATUSES = msgspec.json.Decoder(StatusesEnvelope)
DEFINITIONS = msgspec.json.Decoder(DefinitionsEnvelope)
ARTIFACTS = msgspec.json.Decoder(ArtifactsEnvelope)
TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[][{},]', re.DOTALL)
ANY = msgspec.json.Decoder()


class NotTaskcluster(UnexpectedResponseError):
    """The address answers, but with a web page, another program's JSON, or a part of an answer."""

    def __init__(self, url: str, what: str) -> None:
        super().__init__(
            f"{short_url(url)} answered, but not as a Taskcluster deployment does: {what}.",
            "Check the root URL (TASKCLUSTER_ROOT_URL), or try again if the answer was cut off.",
        )


def cut(answer: Response, decoder: msgspec.json.Decoder[Envelope], member: str) -> Envelope:
    """The reply with its list of entries still in bytes. Raises `NotTaskcluster` where there is no such list.

    `member` has to be there: an empty object or a null would otherwise pass for an empty task group.
    """
    try:
        envelope = decoder.decode(answer.body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _cut_slowly(answer, cast("type[Envelope]", decoder.type), member)
    if not getattr(envelope, member) and member.encode() not in answer.body[:4096]:
        raise NotTaskcluster(answer.url, f"its JSON has no “{member}”")
    return envelope


def _cut_slowly(answer: Response, shape: type[Envelope], member: str) -> Envelope:
    """One unreadable entry must not lose the page: cuts at the brackets, whatever msgspec refuses between them.

    It refuses lone surrogates, NaN and 1,000 levels of nesting; a task's payload may hold any of these.
    """
    body, starts = answer.body, [0]
    entries: list[msgspec.Raw] = []
    depth, key, inside, outside = 0, b"", False, [0]
    for token in TOKEN.finditer(body):
        mark = body[token.start()]
        if mark in b"[{":
            if depth == 1 and key == b'"%s"' % member.encode() and mark in b"[":
                inside, starts = True, [token.end()]
                outside.append(token.end())
            depth += 1
        elif mark in b"]}":
            depth -= 1
        elif mark in b'"' and depth == 1:
            key = token[0]
        if inside and ((mark in b"]}" and depth == 1) or (mark in b"," and depth == 2)):
            entry = body[starts[-1] : token.start()].strip()
            entries += [msgspec.Raw(entry)] if entry else []
            starts = [token.end()]
        if inside and depth == 1:
            inside = False
            outside.append(token.start())
    if len(outside) != 3:
        raise NotTaskcluster(answer.url, _lack(answer, member))
    rest = value_of(replace(answer, body=body[: outside[1]] + body[outside[2] :]))
    known = {name: rest[name] for name in shape.__struct_fields__ if name in rest and name != member}
    return shape(**{member: entries}, **known)


def _lack(answer: Response, member: str) -> str:
    value_of(answer)  # raises where it is not even JSON
    return f"its JSON has no list of {member}"


def value_of(answer: Response) -> Any:
    """The reply as plain JSON values. Raises `NotTaskcluster` for what is none."""
    body = answer.body
    try:
        return ANY.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        pass
    start = body[:200].lstrip().lower()
    if start.startswith(b"<"):
        raise NotTaskcluster(answer.url, "it is a web page")
    try:
        return json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise NotTaskcluster(answer.url, "its JSON is damaged or cut off") from error
