"""The template of pages about images: of the report, and of the app."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from html import escape
from importlib import resources
from typing import Any

_HERE = "p2pselect.explanations.report"
_SCRIPTS = ("picture.js", "gallery.js", "corrections.js", "detail.js")


def whole_page(
    title: str,
    data: dict[str, Any],
    *,
    more_style: str = "",
    more_script: str = "",
    allowed: str = "img-src data:",
    **parts: str,
) -> str:
    """Fill the template with data for its script and with HTML for its placeholders.

    Placeholders without a part stay empty.  ``allowed`` is what the content security policy
    lets the page load.
    """
    script = "".join(resource(_HERE, name) for name in _SCRIPTS) + more_script
    style = resource(_HERE, "page.css") + more_style
    parts |= {
        "POLICY": _policy(script, style, allowed),
        "TITLE": escape(title),
        "STYLE": style,
        "SCRIPT": script,
        "DATA": _script_json(data),
    }
    # In one pass, so that a placeholder inside inserted text stays text.
    return re.sub(
        r"<!--([A-Z]+)-->",
        lambda found: parts.get(found[1], ""),
        resource(_HERE, "page.html"),
    )


def fact_list(facts: Iterable[tuple[str, str]]) -> str:
    """Names and values as the items of a list."""
    return "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)


def resource(package: str, name: str) -> str:
    """A text file of the package."""
    return (resources.files(package) / name).read_text(encoding="utf-8")


def _policy(script: str, style: str, allowed: str) -> str:
    """Allow exactly the script and the style of this file, and what the page has to load."""
    code, look = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (script, style)
    )
    return (
        # Neither base-uri nor form-action falls back to default-src.
        f"default-src 'none'; {allowed}; script-src 'sha256-{code}'; "
        f"style-src 'sha256-{look}'; base-uri 'none'; form-action 'none'"
    )


def _script_json(data: Any) -> str:
    """JSON that cannot end the script element that holds it."""
    # NaN would be no JSON, and no browser could read the page's data.
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
