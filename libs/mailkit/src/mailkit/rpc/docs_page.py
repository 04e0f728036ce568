"""`/docs`: the operators' API as one page made from its OpenAPI document, without scripts or other hosts (decision 0043)."""

import json
from collections.abc import Mapping
from html import escape
from typing import Any

#: Nothing may be loaded from any source, whatever a description contains.
HEADERS = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
_STYLE = "body{font:15px sans-serif;max-width:60em;margin:2em auto;padding:0 1em}pre{background:#f4f4f4;padding:.6em;overflow:auto}"
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{style}</style>
<h1>{title}</h1><p>JSON over HTTP with <code>Authorization: Bearer</code> and the admin token. The same as a document for
tools: <a href="openapi.json">openapi.json</a>. Errors are problem documents (RFC 9457).</p>
{operations}</html>
"""


def page(openapi: Mapping[str, Any]) -> str:
    """Return the page for an OpenAPI document."""
    operations = [
        _operation(openapi, method, path, operation)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    ]
    return _PAGE.format(title=escape(openapi["info"]["title"]), style=_STYLE, operations="\n".join(operations))


def _operation(openapi: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> str:
    parts = [f"<h2><code>{method.upper()} {escape(path)}</code></h2>"]
    if text := operation.get("description"):
        parts.append(f"<p>{escape(text)}</p>")
    if parameters := operation.get("parameters"):
        items = (
            f"<li><code>{escape(each['name'])}</code> ({each['in']}{', required' if each['required'] else ''}): "
            f"<code>{escape(json.dumps(each['schema']))}</code> {escape(each.get('description', ''))}"
            for each in parameters
        )
        parts.append("<ul>" + "\n".join(items) + "</ul>")
    if "requestBody" in operation:
        parts.append("<p>Request:</p>" + _schema(openapi, operation["requestBody"]))
    for status, answer in operation["responses"].items():
        if "content" in answer and status.startswith("2"):
            parts.append(f"<p>Answer {escape(status)}:</p>" + _schema(openapi, answer))
    return "\n".join(parts)


def _schema(openapi: Mapping[str, Any], holder: Mapping[str, Any]) -> str:
    """Return the JSON schema of a body with the schemas that it refers to."""
    schema = holder["content"]["application/json"]["schema"]
    text = json.dumps(schema, indent=1)
    named = {
        name: found
        for name, found in openapi.get("components", {}).get("schemas", {}).items()
        if f'#/components/schemas/{name}"' in text
    }
    return f"<pre>{escape(json.dumps(named or schema, indent=1))}</pre>"
