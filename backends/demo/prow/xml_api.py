"""The storage's XML API: objects under /bucket/object as a browser or curl gets them, listings, and XML refusals."""

from __future__ import annotations

from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

from backends.demo.prow import listing
from backends.demo.prow.bucket import Buckets
from backends.demo.prow.media import deliver
from backends.demo.prow.names import PRIVATE_BUCKET
from backends.demo.replies import Reply, Request

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
_CODES = {
    "requestedRangeNotSatisfiable": "InvalidRange",
}


def answer(buckets: Buckets, request: Request) -> Reply:
    if request.method not in ("GET", "HEAD"):
        return _failure(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
    bucket, _, name = unquote(request.raw_path).lstrip("/").partition("/")
    # An object's name may begin with a slash of its own, a bucket's cannot.
    if request.raw_path.startswith("//") or not bucket:
        return _failure(400, "MissingSecurityHeader", "Your request was missing a required header")
    if bucket == PRIVATE_BUCKET:
        return _failure(403, "AccessDenied", "Access denied.", "Anonymous caller does not have access.")
    if buckets.names(bucket) is None:
        return _failure(404, "NoSuchBucket", "The specified bucket does not exist.")
    if not name:
        return _listing(buckets, request, bucket)
    stored = buckets.stored(bucket, name)
    if stored is None or request.query.get("generation", str(stored.generation)) != str(stored.generation):
        return _failure(404, "NoSuchKey", "The specified key does not exist.", f"No such object: {bucket}/{name}")
    return deliver(request, stored, _refused)


def _listing(buckets: Buckets, request: Request, bucket: str) -> Reply:
    asked = request.query
    if asked.get("max-keys", "1000").isdigit() is False:
        return _failure(400, "InvalidArgument", "Invalid argument.")
    second = asked.get("list-type") == "2"
    after = asked.get("marker", "")
    if second:
        try:
            after = listing.name_of(asked.get("continuation-token", "")) or asked.get("start-after", "")
        except listing.BadQuery:
            return _failure(400, "InvalidArgument", "Invalid argument.")
    limit = min(int(asked.get("max-keys", "1000")) or listing.MOST, listing.MOST)
    found = listing.page(
        buckets.names(bucket) or [],
        listing.Query(asked.get("prefix", ""), asked.get("delimiter", ""), after=after, limit=limit),
    )
    parts = [
        f"{_HEAD}<ListBucketResult xmlns='http://doc.s3.amazonaws.com/2006-03-01'>",
        f"<Name>{bucket}</Name><Prefix>{escape(asked.get('prefix', ''))}</Prefix>",
        f"<Marker>{escape(after)}</Marker>" * (not second),
        f"<Delimiter>{escape(asked.get('delimiter', ''))}</Delimiter>" * bool(asked.get("delimiter")),
        f"<IsTruncated>{'true' if found.next else 'false'}</IsTruncated>",
    ]
    if found.next:
        following = listing.token(found.next) if second else found.next
        name = "NextContinuationToken" if second else "NextMarker"
        parts.append(f"<{name}>{_text(following)}</{name}>")
    parts += [_contents(buckets, bucket, name) for name in found.names]
    parts += [f"<CommonPrefixes><Prefix>{_text(prefix)}</Prefix></CommonPrefixes>" for prefix in found.prefixes]
    return _xml(200, "".join([*parts, "</ListBucketResult>"]))


def _contents(buckets: Buckets, bucket: str, name: str) -> str:
    resource = buckets.resource(bucket, name)
    return (
        f"<Contents><Key>{_text(name)}</Key><Generation>{resource['generation']}</Generation>"
        f"<MetaGeneration>1</MetaGeneration><LastModified>{resource['updated']}</LastModified>"
        f'<ETag>"{resource["etag"]}"</ETag><Size>{resource["size"]}</Size></Contents>'
    )


def _text(name: str) -> str:
    """XML 1.0 has no escape character: names with one cannot be said, and are listed with it percent-encoded."""
    return escape("".join(letter if letter >= " " else quote(letter) for letter in name))


def _refused(status: int, reason: str, message: str) -> Reply:
    return _failure(status, _CODES.get(reason, reason), message)


def _failure(status: int, code: str, message: str, details: str = "") -> Reply:
    more = f"<Details>{_text(details)}</Details>" * bool(details)
    return _xml(status, f"{_HEAD}<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>")


def _xml(status: int, body: str) -> Reply:
    return Reply(status, body.encode(), (("Content-Type", "application/xml; charset=UTF-8"),))
