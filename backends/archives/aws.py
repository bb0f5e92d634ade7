"""Credentials and endpoint of S3 buckets, found where AWS's own tools find them, before anything is asked.

obstore itself reads AWS_ACCESS_KEY_ID and its kin, a web identity (AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN), the
role of an ECS task or an EKS pod, and the role of an EC2 machine; it knows nothing of profiles. A profile's keys are
read here; what a profile has to ask for (role_arn, sso_*, credential_process) is asked by boto3 where it is installed.
"""

from __future__ import annotations

import configparser
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from backends.errors import UsageError
from backends.http.errors import sanitize

_HINT = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."
_ASKING = ("role_arn", "credential_process", "sso_session", "sso_start_url", "login_session", "web_identity_token_file")
# What the firmware of Amazon's machines says of itself; asking the metadata service elsewhere takes minutes.
_FIRMWARE = ("sys_vendor", "board_vendor", "bios_vendor")


def credentials(environment: Mapping[str, str]) -> dict[str, Any]:
    """Arguments for obstore's S3Store; empty where it finds them itself. Raises `UsageError` where there are none,
    or half of them."""
    found = _keys(environment.get, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "The environment")
    if found:
        return found
    if _both(environment, "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"):
        return {}
    chosen = environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE") or ""
    found = _of_profile(chosen, environment)
    if found:
        return found
    if environment.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        return {}
    if _both(environment, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
        return {}
    if environment.get("AWS_EC2_METADATA_DISABLED", "").lower() != "true" and (
        environment.get("AWS_METADATA_ENDPOINT") or _is_on_ec2()
    ):
        return {}
    raise UsageError("There are no credentials for the buckets.", _HINT)


def endpoint(environment: Mapping[str, str]) -> str:
    """Where S3 is; "" for Amazon's own. Raises `UsageError` for what cannot be one: obstore would panic."""
    name = "AWS_ENDPOINT_URL_S3" if environment.get("AWS_ENDPOINT_URL_S3") else "AWS_ENDPOINT_URL"
    url = environment.get(name, "").rstrip("/")
    if not url:
        return ""
    try:
        split = urlsplit(url)
        usable = split.scheme in ("http", "https") and split.hostname and (split.port or 1) and not split.username
    except ValueError:
        usable = False
    if not usable or not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError(f"{name} is not the URL of a server.", "Write it as https://HOST or http://HOST:PORT.")
    return url


def _of_profile(chosen: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """From the shared files; an unnamed profile need not be there."""
    name = chosen or "default"
    files = (
        _file(environment, "AWS_SHARED_CREDENTIALS_FILE", "credentials"),
        _file(environment, "AWS_CONFIG_FILE", "config"),
    )
    shown = f"The profile {sanitize(name, 60)}"
    values: dict[str, str] = {}
    known = False
    for path, section in ((files[1], name if name == "default" else f"profile {name}"), (files[0], name)):
        read = _read(path)
        if read.has_section(section):
            known = True
            values.update(read.items(section))
    if chosen and not known:
        raise UsageError(f"{shown} is neither in {files[0]} nor in {files[1]}.", "Check AWS_PROFILE.")
    found = _keys(values.get, "aws_access_key_id", "aws_secret_access_key", "aws_session_token", shown)
    asking = next((one for one in _ASKING if values.get(one)), "")
    if not asking:
        if chosen and not found:
            raise UsageError(f"{shown} has no keys.", _HINT)
        return found
    return {"credential_provider": _by_boto3(name, shown, asking)}


def _by_boto3(name: str, shown: str, asking: str) -> Any:
    try:
        boto3 = importlib.import_module("boto3")  # untyped, and not of ours
        failures = importlib.import_module("botocore.exceptions")
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        raise UsageError(
            f"{shown} takes its keys from {asking}, which needs boto3.", "pip install boto3, or set AWS_ACCESS_KEY_ID."
        ) from None
    try:
        provider = Boto3CredentialProvider(boto3.Session(profile_name=name))
        provider.config = {}  # the region is the bucket's
        provider()
    except (failures.BotoCoreError, failures.ClientError, ValueError) as error:
        raise UsageError(f"{shown} gives no keys: {sanitize(str(error), 200)}", "Check it with `aws sts`.") from None
    return provider


def _keys(read: Any, key: str, secret: str, token: str, shown: str) -> dict[str, Any]:
    values = {"access_key_id": read(key), "secret_access_key": read(secret)}
    if not any(values.values()):
        return {}
    if not all(values.values()):
        has, lacks = (key, secret) if values["access_key_id"] else (secret, key)
        raise UsageError(f"{shown} has {has} and not {lacks}.", "Set both.")
    return {**values, **({"session_token": read(token)} if read(token) else {})}


def _both(environment: Mapping[str, str], name: str, other: str) -> bool:
    if environment.get(name) and not environment.get(other):
        raise UsageError(f"{name} is set and {other} is not.", f"Set {other}, or credentials of another kind.")
    return bool(environment.get(name))


def _file(environment: Mapping[str, str], variable: str, name: str) -> Path:
    named = environment.get(variable)
    home = environment.get("HOME")
    return Path(named).expanduser() if named else (Path(home) if home else Path.home()) / ".aws" / name


def _read(path: Path) -> configparser.RawConfigParser:
    read = configparser.RawConfigParser(strict=False, default_section="\0")
    try:
        read.read_string(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        pass
    except (OSError, ValueError, configparser.Error) as error:
        raise UsageError(f"{path} cannot be read as AWS's settings ({type(error).__name__}).", "Correct it.") from None
    return read


def _is_on_ec2() -> bool:
    for name in _FIRMWARE:
        try:
            if "amazon ec2" in Path("/sys/class/dmi/id", name).read_text().lower():
                return True
        except OSError:
            continue
    return False
