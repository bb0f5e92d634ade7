"""Archiver: source archives at a revision - from hgweb or GitHub, verified, kept, copied to S3, served."""

from __future__ import annotations
