"""The storage's JSON API as anonymous readers see it: objects.list, objects.get, alt=media, and its refusals."""

from __future__ import annotations

import re
from functools import partial
from typing import Any
from urllib.parse import unquote

import msgspec

from backends.demo.prow import fields, listing
from backends.demo.prow.bucket import Buckets, Stored
from backends.demo.prow.media import deliver
from backends.demo.prow.names import PRIVATE_BUCKET
from backends.demo.replies import Reply, Request

_PATH = re.compile(r"/(?P<download>download/)?storage/v1/b/(?P<bucket>[^/]+)(?:/o(?:/(?P<object>.*))?)?", re.DOTALL)
_JSON = (("Content-Type", "application/json; charset=UTF-8"),)


def owns(path: str) -> bool:
    return path.startswith(("/storage/v1/", "/download/storage/v1/"))


def answer(buckets: Buckets, request: Request) -> Reply:
    """The raw path is matched, since an object's slashes are %2F in it."""
    match = _PATH.fullmatch(request.raw_path)
    if match is None:
        return Reply(404, b"Not Found", (("Content-Type", "text/html; charset=UTF-8"),))
    if request.method not in ("GET", "HEAD"):
        return _anonymous(f"storage.objects.{'delete' if request.method == 'DELETE' else 'create'}")
    bucket = unquote(match["bucket"])
    if bucket == PRIVATE_BUCKET:
        return _anonymous("storage.objects.get" if match["object"] else "storage.objects.list")
    if buckets.names(bucket) is None:
        return failure(404, "notFound", "The specified bucket does not exist.")
    try:
        mask = fields.mask(asked) if (asked := request.query.get("fields", "")) else None
    except fields.BadMask as error:
        return failure(400, "invalidParameter", f"Invalid field selection {error}", location="fields")
    if match["object"] is not None and match["object"] != "":
        return _object(buckets, request, bucket, unquote(match["object"]), mask, match["download"])
    if not request.raw_path.rstrip("/").endswith("/o"):
        return _anonymous("storage.buckets.get")
    return _listing(buckets, request, bucket, mask)


def _listing(buckets: Buckets, request: Request, bucket: str, mask: fields.Mask | None) -> Reply:
    try:
        query = listing.query(request.query)
    except listing.BadQuery as error:
        return failure(400, "invalid", str(error))
    found = listing.page(buckets.names(bucket) or [], query)
    body: dict[str, Any] = {"kind": "storage#objects"}
    if found.next:
        body["nextPageToken"] = listing.token(found.next)
    if found.prefixes:
        body["prefixes"] = found.prefixes
    # A selection without items need not make what the objects hold.
    if found.names and (mask is None or "items" in mask or "*" in mask):
        body["items"] = [buckets.resource(bucket, name) for name in found.names]
    return _json(fields.chosen(body, mask))


def _object(
    buckets: Buckets, request: Request, bucket: str, name: str, mask: fields.Mask | None, download: str | None
) -> Reply:
    media = request.query.get("alt") == "media"
    refuse = _media_failure if media or download else failure
    stored = buckets.stored(bucket, name)
    if stored is None or request.query.get("generation", str(stored.generation)) != str(stored.generation):
        return refuse(404, "notFound", f"No such object: {bucket}/{name}")
    if refused := _unmet(request, stored):
        return refused
    if media:
        return deliver(request, stored, partial(_media_failure))
    return _json(fields.chosen(buckets.resource(bucket, name), mask), (("ETag", stored.etag),))


def _unmet(request: Request, stored: Stored) -> Reply | None:
    current = str(stored.generation)
    if request.query.get("ifGenerationMatch", current) != current:
        message = "At least one of the pre-conditions you specified did not hold."
        return failure(412, "conditionNotMet", message, location="If-Match")
    if request.query.get("ifGenerationNotMatch") == current:
        return Reply(304)
    return None


def _json(body: object, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    return Reply(200, msgspec.json.encode(body), (*_JSON, *headers))


def failure(status: int, reason: str, message: str, *, location: str = "", location_type: str = "header") -> Reply:
    detail = {"message": message, "domain": "global", "reason": reason}
    if location:
        kind = "parameter" if location == "fields" else location_type
        detail |= {"locationType": kind, "location": location}
    body = {"error": {"code": status, "message": message, "errors": [detail]}}
    return Reply(status, msgspec.json.encode(body), _JSON)


def _media_failure(status: int, _: str, message: str) -> Reply:
    """With alt=media a refusal is a bare sentence under a type that promises HTML."""
    return Reply(status, message.encode(), (("Content-Type", "text/html; charset=UTF-8"),))


def _anonymous(permission: str) -> Reply:
    message = (
        f"Anonymous caller does not have {permission} access to the Google Cloud Storage bucket. "
        f"Permission '{permission}' denied on resource (or it may not exist)."
    )
    return failure(401, "required", message, location="Authorization")
