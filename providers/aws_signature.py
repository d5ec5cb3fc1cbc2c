"""Signs calls to Amazon by Signature Version 4, with botocore's signer. No Django, for the gateway too.

A deployment's key is `ACCESS_KEY_ID:SECRET_ACCESS_KEY`, with `:SESSION_TOKEN` where it is temporary. One without a
colon is an API key of Bedrock, which travels as a bearer token.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs, quote, urlsplit

REGION = "us-east-1"  # where the address names none


def region_of(address: str) -> str:
    """The region of `https://bedrock-runtime.REGION.amazonaws.com`, or of the parameter `region` of any address."""
    parts = urlsplit(address)
    labels = (parts.hostname or "").split(".")
    if len(labels) > 3 and labels[-2] == "amazonaws":
        return labels[1]
    return parse_qs(parts.query).get("region", [REGION])[0]


def root_of(address: str) -> str:
    """The address without its parameters, to which paths are added."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def model_path(model: str) -> str:
    """A model's name, an ARN too, as one segment of a path."""
    return quote(model, safe=":")  # which clients of HTTP leave as it is, so that what is sent is what is signed


def is_claude(model: str) -> bool:
    """Whether Bedrock takes a model's calls as Messages, else as Converse. An address that does not tell: Claude."""
    return any(
        part in model for part in ("anthropic", "claude", ":application-inference-profile/", ":provisioned-model/")
    )


def signed(
    method: str, url: str, body: bytes, headers: Mapping[str, str], *, key: str, region: str, service: str = "bedrock"
) -> dict[str, str]:
    """The headers of a call with its signature, which holds for a few minutes. Imports the signer at its first use."""
    if ":" not in key:
        return {**headers, "authorization": f"Bearer {key}"} if key else dict(headers)
    from botocore.auth import SigV4Auth  # a second on a busy machine, for those alone who call Amazon
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    identifier, secret, token = (*key.split(":", 2), "")[:3]
    request = AWSRequest(method, url, data=body, headers=dict(headers))
    SigV4Auth(Credentials(identifier, secret, token or None), service, region).add_auth(request)
    return dict(request.headers.items())
