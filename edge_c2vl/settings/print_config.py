"""Writes settings as a YAML file with the help text of each option beside it."""

from __future__ import annotations

import textwrap
from typing import Any

from edge_c2vl.settings.fields import (
    Option,
    flag,
    groups_of,
    options_of,
    own_options,
    sections_of,
    unmet,
    values_of,
)
from edge_c2vl.settings.flags import title_of
from edge_c2vl.utils.redact import holds_secret, redact

WIDTH = 110


def config_text(settings: Any, head: str) -> tuple[str, list[str]]:
    """A file from which `read_settings` makes equal settings, and the flags whose values it leaves out.

    head: comment at its top. What has its default stands there as a comment. An address with a password or a query is
    left out, since that may be a secret; its line says so. What does nothing without it stands there as a comment too.
    """
    lines, values = _comment(head), values_of(settings)
    options = {option.name: option for option in options_of(type(settings))}
    secret = [name for name, value in values.items() if isinstance(value, str) and holds_secret(value)]
    left_out = [flag(name) for name in secret]
    for group in groups_of(type(settings)):
        lines += ["", f"# ---- {title_of(group)}"]
        for option in own_options(group):
            value = values[option.name]
            lines += ["", *_comment(_help(option))]
            line = _line(flag(option.name)[2:], value, option)
            if option.name in secret:
                line = f"# {flag(option.name)[2:]}: {redact(value)}    # write it here by hand: it may be secret"
            elif value != option.default and unmet(option, values, options, secret):
                line = f"# {line}    # with {' or '.join(flag(name)[2:] for name in option.metadata['needs'])}"
            lines.append(line)
    for name, (cls, text) in sections_of(type(settings)).items():
        inner = values_of(values[name])
        lines += ["", *_comment(text), f"{name}:"]
        for option in own_options(cls):
            beneath = ["", *_comment(option.help), _line(option.name, inner[option.name], option)]
            lines += [f"  {line}".rstrip() for line in beneath]
    return "\n".join(lines) + "\n", left_out


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, WIDTH - 2)]


def _help(option: Option) -> str:
    choices = option.metadata["choices"]
    limits = f"One of {', '.join(choices)}." if choices else f"A number {option.range}." if option.range else ""
    return f"{option.help} {limits}".rstrip()


def _line(key: str, value: Any, option: Option) -> str:
    import yaml

    if value is None:
        return f"# {key}:"
    text = yaml.safe_dump({key: value}, allow_unicode=True, width=float("inf")).rstrip("\n")
    return f"# {text}" if value == option.default else text
