#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Hold every line of NDJSON against docs/jnitrace-1.schema.json.

usage: check-json-schema.py [--strict] [--schema FILE] [FILE...]

Reads stdin without FILE. --strict also refuses members the schema does not
name: for output of this version, whose every member must be documented.
Exit code: 0 all lines hold, 1 one does not (said on stderr), 2 usage.
"""

import argparse
import json
import pathlib
import sys

import jsonschema

SCHEMA = pathlib.Path(__file__).resolve().parent.parent / "docs" / "jnitrace-1.schema.json"
MAX_ERRORS = 20


def close_objects(node):
    """Forbid unnamed members wherever members are named."""
    if isinstance(node, dict):
        if "properties" in node and node.get("type") == "object":
            node.setdefault("additionalProperties", False)
        for child in node.values():
            close_objects(child)
    elif isinstance(node, list):
        for child in node:
            close_objects(child)


def refuse_duplicates(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is there twice")
    return members


def refuse_constant(name):
    raise ValueError(f"{name} is not JSON")


def pick_branch(schema, record):
    """A record is a report, a census, a probe or a comparison: judging it as that gives a readable reason."""
    kind = "report"
    if isinstance(record, dict):
        kind = next((kind for member, kind in (("strategy", "probe"), ("per", "diff"), ("threads", "census"), ("checks", "diagnosis")) if member in record), kind)
    return {"$ref": f"#/$defs/{kind}", "$defs": schema["$defs"]}


def check_line(schema, line):
    """The reasons why a line does not hold."""
    try:
        record = json.loads(line, object_pairs_hook=refuse_duplicates, parse_constant=refuse_constant)
    except ValueError as e:
        return [str(e)]
    validator = jsonschema.Draft202012Validator(pick_branch(schema, record))
    return [f"{e.json_path}: {e.message[:300]}" for e in validator.iter_errors(record)]


def check_stream(schema, name, stream):
    """(lines, errors) of one stream of bytes."""
    lines = errors = 0
    for number, raw in enumerate(stream, 1):
        lines += 1
        try:
            reasons = check_line(schema, raw.decode("utf-8"))
        except UnicodeDecodeError as e:
            reasons = [str(e)]
        if not raw.endswith(b"\n"):
            reasons.append("the last line has no end")
        errors += len(reasons)
        for reason in reasons[:MAX_ERRORS]:
            print(f"{name}:{number}: {reason}", file=sys.stderr)
    return lines, errors


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--strict", action="store_true", help="refuse members the schema does not name")
    parser.add_argument("--schema", type=pathlib.Path, default=SCHEMA)
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    args = parser.parse_args()

    schema = json.loads(args.schema.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    if args.strict:
        close_objects(schema)
    lines = errors = 0
    if args.files:
        for path in args.files:
            with path.open("rb") as stream:
                n, bad = check_stream(schema, path, stream)
            lines, errors = lines + n, errors + bad
    else:
        lines, errors = check_stream(schema, "stdin", sys.stdin.buffer)
    if lines == 0:
        print("no line to check", file=sys.stderr)
        errors += 1
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
