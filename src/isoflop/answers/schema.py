"""JSON schema of ``Answer.to_dict()``."""

from __future__ import annotations

from typing import Any

from isoflop.answers.answer import SCHEMA_VERSION
from isoflop.answers.quantity import KINDS

_NUMBER = {"type": ["number", "null"]}
_TEXT = {"type": "string"}
_SWITCH = {"type": "boolean"}
_SIZE = {"type": "array", "items": {"type": "number"}}
_KIND = {"enum": list(KINDS)}


def answer_schema() -> dict[str, Any]:
    """The schema, version included; numbers are at full precision, and what is not finite is null."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Answer of isoflop",
        "$ref": "#/$defs/answer",
        "$defs": {
            "answer": _object(
                {
                    "schema": {"const": SCHEMA_VERSION},
                    "question": _TEXT,
                    "title": _TEXT,
                    "headline": _TEXT,
                    "equation": {"type": ["string", "null"]},
                    "quantities": {"type": "object", "additionalProperties": {"$ref": "#/$defs/quantity"}},
                    "evidence": {"anyOf": [{"$ref": "#/$defs/table"}, {"type": "null"}]},
                    "tables": {"type": "object", "additionalProperties": {"$ref": "#/$defs/table"}},
                    "findings": {"type": "array", "items": {"$ref": "#/$defs/finding"}},
                    "method": _TEXT,
                    "provenance": {"type": "object"},
                    "pictures": {
                        "type": "array",
                        "items": _object(
                            {
                                "name": _TEXT,
                                "alt": _TEXT,
                                "size": _SIZE,
                                **dict.fromkeys(("claim", "source", "views", "view"), _TEXT),
                            }
                        ),
                    },
                    "parts": {"type": "array", "items": {"$ref": "#/$defs/answer"}},
                }
            ),
            "quantity": _object(
                {
                    "value": _NUMBER,
                    "low": _NUMBER,
                    "high": _NUMBER,
                    "level": _NUMBER,
                    "interval": {"enum": [None, "CI", "PI", "range"]},
                    "unit": _TEXT,
                    "kind": _KIND,
                    "label": _TEXT,
                    "note": _TEXT,
                    "limit": {"enum": [None, "upper", "lower"]},
                }
            ),
            "cell": {
                "anyOf": [
                    {"type": ["number", "string", "boolean", "null"]},
                    {"$ref": "#/$defs/quantity"},
                ]
            },
            "table": _object(
                {
                    "title": _TEXT,
                    "columns": {
                        "type": "array",
                        "items": _object(
                            {"name": _TEXT, "title": _TEXT, "kind": _KIND, "unit": _TEXT, "detail": _SWITCH}
                        ),
                    },
                    "rows": {
                        "type": "array",
                        "items": {"type": "object", "additionalProperties": {"$ref": "#/$defs/cell"}},
                    },
                    "note": _TEXT,
                    "detail": _SWITCH,
                }
            ),
            "finding": _object(
                {
                    "code": _TEXT,
                    "level": {"enum": ["note", "warning", "error"]},
                    "message": _TEXT,
                    "remedy": _TEXT,
                    "rows": {"type": "array", "items": {"type": "integer"}},
                }
            ),
        },
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
