"""The page as HTML: one file, inert names and texts, and no network."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from types import ModuleType
from typing import Any

from mssim.errors import MssimError
from mssim.report.charts import DASHES, MISSING
from mssim.report.document import Section
from mssim.report.wording import Quantity

__all__ = ["check_installed", "page_of"]


def check_installed() -> None:
    """Raise with a remedy if vl-convert, which has the scripts of the page, is not installed."""
    _vl_convert()


def _vl_convert() -> ModuleType:
    try:
        import vl_convert
    except ImportError as error:
        raise MssimError(MISSING.format(error.name)) from error
    return vl_convert


def page_of(title: str, quantities: Sequence[Quantity], sections: Sequence[Section]) -> str:
    """Return a page as one HTML file.

    Notes
    -----
    Names, answers and texts reach the page in two ways: as text that Jinja2 escapes, and as JSON in elements that are
    not scripts, which the page's own script writes as text. The Content-Security-Policy allows two scripts and one
    style sheet, by their hashes, and nothing else: no other script, no network, no eval. Vega therefore interprets its
    expressions.

    Examples
    --------
    >>> html = page_of("<b>", [], [Section("one", "One & two", [])])
    >>> "&lt;b&gt;" in html, "One &amp; two" in html, "http-equiv" in html
    (True, True, True)
    """
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"code": _with_code, "json": _as_json}
    style, script, library = _asset("page.css"), _asset("page.js"), _library()
    policy = (
        f"default-src 'none'; script-src {_hash(library)} {_hash(script)}; style-src {_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    html: str = environment.get_template("page.html").render(
        title=title,
        quantities=quantities,
        sections=sections,
        policy=policy,
        style=Markup(style),
        script=Markup(script),
        library=Markup(library),
        dashes=DASHES,
    )
    return html


@cache
def _asset(name: str) -> str:
    return (files("mssim.report") / "assets" / name).read_text(encoding="utf-8")


@cache
def _library() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script."""
    text: str = _vl_convert().javascript_bundle()
    return text.replace("</script", "<\\/script")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _as_json(value: Any) -> Any:
    """Return JSON for an element of type application/json, in which no character can end the element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    from markupsafe import Markup

    return Markup(text)


def _with_code(text: str) -> Any:
    """Escape a text, and mark what is between backticks as code."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))
