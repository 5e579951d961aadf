"""Secrets: taken from the environment, and left out of the addresses in messages and logs."""

from __future__ import annotations

import os
import re

from edge_c2vl.errors import UsageError

# For the messages of addresses that cannot be read.
ENCODE = "in a user name or password write % / ? # @ : as %25 %2F %3F %23 %40 %3A"

# One slash is a slip; of one letter with one slash it is a drive.
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*(://|(?<!^.):/)", re.IGNORECASE)
_DRIVE = re.compile(r"[a-z]:[/\\]", re.IGNORECASE)


def redact(uri: str) -> str:
    """The URI without user name, password, query and fragment, which hold secrets; what is no URI as it is. All up to
    the last @ goes, since a password may hold / and ? where it should not."""
    found = _SCHEME.match(uri)
    # USER:PASSWORD@HOST, where scheme or slashes were forgotten.
    if found is None and (_DRIVE.match(uri) or not re.search(r":.*@", uri, re.DOTALL)):
        return uri
    scheme = found[0] if found else ""
    _, at, shown = uri[len(scheme) :].rpartition("@")
    shown = re.sub(r"[?#].*", lambda hidden: hidden[0][0] + "***", shown, flags=re.DOTALL)
    return f"{scheme}{'***@' if at else ''}{shown}"


def holds_secret(uri: str) -> bool:
    """Whether an address may hold a secret: a password, a query, a fragment, or a user name that may be a token, which
    a broker's is not."""
    if redact(uri) == uri:
        return False
    scheme, _, rest = uri.partition("://")
    user, at, _ = rest.rpartition("@")
    named = scheme.lower() in ("mqtt", "mqtts") and bool(at) and not re.search(r"[:?#@/]", user)
    return not named or bool(re.search(r"[?#]", rest))


def is_ambiguous(uri: str) -> bool:
    """Whether an @ stands behind the host that a URI has by its rules. Probably / ? or # is part of a password, and
    what seems to be the host or the port as well: neither may be shown."""
    _, slashes, rest = uri.partition("://")
    return bool(slashes) and "@" in re.sub(r"^[^/?#]*", "", rest)


def secret_from(variable: str) -> str:
    """A secret for an Authorization header, from an environment variable; "" where that is not set. Raises UsageError
    where no header could hold it."""
    # Read from a file it often ends with a line end, and what HTTP libraries say of one quotes it.
    secret = os.environ.get(variable, "").strip()
    if not re.fullmatch(r"[!-~]*", secret):
        raise UsageError(f"{variable} holds characters that no HTTP header can: spaces, line ends or umlauts")
    return secret
