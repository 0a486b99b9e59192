"""Templates of users, which replace those of protocols."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mssim._toml import check_keys, check_table, read_toml
from mssim._validation import choose_from
from mssim.errors import MssimError
from mssim.live.protocols.base import PROTOCOLS, Protocol
from mssim.live.protocols.templates import Template, names_in

__all__ = ["prompts_for", "read_prompts"]


def read_prompts(path: str | os.PathLike[str]) -> dict[str, Any]:
    r"""Read templates that replace those of protocols.

    Parameters
    ----------
    path : path
        A TOML file with a table for each kind of protocol::

            [debate]
            revise = "{{prompt}}\nOther answers: {{others}}\nAnswer:"
            [chateval.roles]
            teacher = "You are a teacher."

    Returns
    -------
    dict
        The tables, which `run_protocol` accepts as `prompts`.

    Raises
    ------
    MssimError
        If the file is missing or damaged.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from mssim.live.protocols import read_prompts
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "prompts.toml"
    ...     _ = path.write_text('[debate]\nrevise = "Others: {{others}}"\n')
    ...     read_prompts(path)
    {'debate': {'revise': 'Others: {{others}}'}}
    """
    return read_toml(Path(path))


def prompts_for(protocol: Protocol, given: Mapping[str, Any] | None) -> dict[str, str]:
    """Return all templates of a protocol, with those of a file or mapping in place of the defaults.

    Parameters
    ----------
    protocol : Protocol
        The protocol.
    given : mapping, optional
        A table for each kind, as `read_prompts` returns it. Tables of other kinds are checked, too.

    Returns
    -------
    dict of str to str
        The texts, by the names of the templates.

    Raises
    ------
    MssimError
        If a kind, the name of a template or a name in double braces does not exist.

    Examples
    --------
    >>> from mssim.live.protocols import parse_protocol, prompts_for
    >>> protocol = parse_protocol("debate:gemma3")
    >>> prompts_for(protocol, {"debate": {"revise": "Others say {{others}}. You?"}})["revise"]
    'Others say {{others}}. You?'
    """
    own: dict[str, str] = {name: template.text for name, template in protocol.prompts.items()}
    check_keys("prompts", given or {}, PROTOCOLS)
    for kind, table in (given or {}).items():
        texts = _texts(kind, PROTOCOLS[kind], check_table(kind, table))
        if kind == protocol.kind:
            own |= texts
    for name in protocol.needed():
        if name not in own:
            known = [known for known in own if known.startswith(f"{protocol.open_table}.")]
            raise MssimError(
                f"protocol {str(protocol)!r}: there is no template {name!r}. {choose_from(name, known)}, or add it to "
                "the prompts."
            )
    return own


def _texts(kind: str, protocol: type[Protocol], table: Mapping[str, Any]) -> dict[str, str]:
    """Check the templates of a kind. Names in a table within the table have a dot."""
    found: dict[str, str] = {}
    for name, value in table.items():
        nested = value if isinstance(value, Mapping) else None
        for key, text in {name: value}.items() if nested is None else ((f"{name}.{k}", v) for k, v in nested.items()):
            where = f"{kind}.{key}"
            extra = bool(protocol.open_table) and key.startswith(f"{protocol.open_table}.")
            if key not in protocol.prompts and not extra:
                raise MssimError(f"{kind}: unknown template {key!r}. {choose_from(key, protocol.prompts)}.")
            if not isinstance(text, str):
                raise MssimError(f"{where} has type {type(text).__name__}. It must be text.")
            allowed = (protocol.prompts[key] if key in protocol.prompts else Template("")).names()
            for one in names_in(text):
                if one not in allowed:
                    raise MssimError(f"{where}: {{{{{one}}}}} does not exist. {choose_from(one, allowed)}.")
            found[key] = text
    return found
