#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
usage: schema.py SCHEMA SERVICECHECK

Whether the shipped JSON Schema of the services and the agent's own parser (which
SERVICECHECK runs) say
the same about each example. What a schema cannot know (other files, a port of
the service) is not asked. Prints what differs.
"""
import json
import re
import subprocess
import sys
import tempfile

schema = json.load(open(sys.argv[1]))
agent = sys.argv[2]
types = {"object": dict, "array": list, "string": str, "boolean": bool}


def is_type(v, name):
    if name == "integer":
        return isinstance(v, int) and not isinstance(v, bool)
    return isinstance(v, types[name])


def fits(v, s):
    """The part of the language that the schema uses; an unknown word is an error."""
    for word, want in s.items():
        if not rules[word](v, want, s):
            return False
    return True


def properties(v, want, s):
    return not isinstance(v, dict) or all(fits(v[k], p) for k, p in want.items() if k in v)


def additional(v, want, s):
    if not isinstance(v, dict):
        return True
    rest = [v[k] for k in v if k not in s.get("properties", {})]
    return not rest if want is False else all(fits(x, want) for x in rest)


def items(v, want, s):
    skip = len(s.get("prefixItems", []))
    return not isinstance(v, list) or all(fits(x, want) for x in v[skip:])


def ref(v, want, s):
    at = schema
    for part in want.split("/")[1:]:
        at = at[part]
    return fits(v, at)


rules = {
    "$schema": lambda v, w, s: True, "title": lambda v, w, s: True, "$defs": lambda v, w, s: True,
    "description": lambda v, w, s: True, "default": lambda v, w, s: True,
    "type": lambda v, w, s: is_type(v, w),
    "const": lambda v, w, s: v == w and isinstance(v, type(w)),
    "enum": lambda v, w, s: v in w,
    "minimum": lambda v, w, s: not is_type(v, "integer") or v >= w,
    "maximum": lambda v, w, s: not is_type(v, "integer") or v <= w,
    "maxLength": lambda v, w, s: not isinstance(v, str) or len(v) <= w,
    "pattern": lambda v, w, s: not isinstance(v, str) or re.search(re.sub(r"\$$", r"\\Z", w), v) is not None,
    "minItems": lambda v, w, s: not isinstance(v, list) or len(v) >= w,
    "maxItems": lambda v, w, s: not isinstance(v, list) or len(v) <= w,
    "maxProperties": lambda v, w, s: not isinstance(v, dict) or len(v) <= w,
    "propertyNames": lambda v, w, s: not isinstance(v, dict) or all(fits(k, w) for k in v),
    "required": lambda v, w, s: not isinstance(v, dict) or all(k in v for k in w),
    "dependentRequired": lambda v, w, s: not isinstance(v, dict) or
    all(all(x in v for x in need) for k, need in w.items() if k in v),
    "prefixItems": lambda v, w, s: not isinstance(v, list) or all(fits(a, b) for a, b in zip(v, w)),
    "items": items, "properties": properties, "additionalProperties": additional, "$ref": ref,
    "oneOf": lambda v, w, s: sum(fits(v, x) for x in w) == 1,
    "anyOf": lambda v, w, s: any(fits(v, x) for x in w),
    "not": lambda v, w, s: not fits(v, w),
    "if": lambda v, w, s: not fits(v, w) or fits(v, s.get("then", {})),
    "then": lambda v, w, s: True,
}

base = {"tag": "db", "vni": 7, "ports": [{"proto": "tcp", "port": 80}]}


def checks():
    """Definitions of checks: of each type a full one, then each field of it wrong."""
    tls = {"verify": False, "name": "a.b", "ca": "/x"}
    times = {"interval_ms": 50, "timeout_ms": 10, "rise": 1, "fall": 100, "damping": False}
    inside = {"where": "inside", "address": "::1"}
    http = {"path": "/a", "host": "h", "method": "HEAD", "body": "x", "status": ["200", "300-399"],
            "headers": {"A-b": "c d"}, "expect_headers": {"C": ""}, "port": 1, **inside}
    sql = {"user": "u", "database": "d", "password_file": "/p", "writable": True,
           "primary_tag": "db-primary", "tls": True, "port": 5}
    redis = {k: v for k, v in sql.items() if k != "database"}
    full = {
        "none": times,
        "tcp": {"send": "a", "expect_hex": "00ff", "tls": tls, "port": 65535, **times, **inside},
        "udp": {"send_hex": "", "expect": "b", "where": "outside"},
        "http": http, "https": {**http, "tls": tls},
        "grpc": {"service": "s", "host": "h", "tls": True},
        "postgres": sql, "mysql": sql, "redis": redis,
        "exec": {"argv": ["/bin/true", "x"]},
        "ttl": {"ttl_ms": 100, "damping": True},
        "alias": {"tag": "x", "vni": 9, "primary": True, "interval_ms": 50, "damping": True},
        "all-of": {"checks": [{"type": "tcp"}, {"type": "any-of", "checks": [{"type": "none"}]}], "damping": True},
        "any-of": {"checks": [{"type": "ttl", "ttl_ms": 100}]},
    }
    bad = [None, -1, 70000, "", "A B", "\n", [], {}, True]
    for kind, fields in full.items():
        yield {"type": kind}
        yield {"type": kind, **fields}
        yield {"type": kind, **fields, "unknown": 1}
        for other in full.values():
            yield {"type": kind, **fields, **other}
        for k in fields:
            yield {"type": kind, **{x: y for x, y in fields.items() if x != k}}
            for v in bad:
                yield {"type": kind, **fields, k: v}
    yield {"type": "http", "status_min": 200, "status_max": 300}
    yield {"type": "http", "status": ["200"], "status_min": 200}
    yield {"type": "tcp", "send": "a", "send_hex": "61"}
    for kind in ("tcp", "postgres", "mysql"):
        for where in ({"where": "outside"}, {"where": "inside"}, {}):
            yield {"type": kind, "address": "127.0.0.2", **where}
            for extra in ({"tls": True}, {"tls": False}, {"password_file": "/p"}):
                yield {"type": kind, **where, **extra}
                yield {"type": kind, **where, **extra, "tls": {"name": "a"}}
                yield {"type": kind, **where, "password_file": "/p", **extra}
    yield {"type": "telnet"}
    yield {}


def examples():
    yield base
    yield [base, {**base, "tag": "other"}]
    yield []
    yield {}
    yield 7
    for k, values in {
            "tag": ["a", "A", "-a", "a-", "a" * 63, "a" * 64, "", 1, None],
            "vni": [1, 4294967295, 0, -1, 4294967296, "1", 1.0],
            "weight": [0, 1000, 1001, -1, True], "x": [1],
            "policy": ["optimal", "maglev", "random", "failover", "best", 1],
            "on_down": ["abort", "keep", "drain", "x"], "load": ["connections", "pool", "x", 1],
            "priority": [0, 255, 256], "drain_time_ms": [0, 1000, -1],
            "ports": [[], {}, [{"proto": "tcp"}], [{"proto": "sctp", "port": 1}], [{"proto": "udp", "port": 1, "x": 1}],
                      [{"proto": "tcp", "port": 1, "target": 2, "name": "a.b"}], [{"proto": "tcp", "port": 0}],
                      [{"proto": "tcp", "port": p} for p in range(1, 18)]],
            "check": [None, [], "tcp"]}.items():
        for v in values:
            yield {**base, k: v}
    yield {**base, "on_down": "drain", "drain_time_ms": 1}
    yield {**base, "on_down": "drain", "drain_time_ms": 0}
    for c in checks():
        yield {**base, "check": c}


def main():
    work = tempfile.mkdtemp()
    parser = subprocess.Popen([agent, work], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    n = taken = wrong = 0
    seen = set()
    for e in examples():
        text = json.dumps(e)
        if text in seen:
            continue
        seen.add(text)
        with open(work + "/a.json", "w") as f:
            f.write(text)
        parser.stdin.write("\n")
        answer = parser.stdout.readline().strip()
        mine, theirs = fits(e, schema), answer == "ok"
        n += 1
        taken += theirs
        if mine != theirs:
            wrong += 1
            print("schema %s, agent %s: %.200s %s" % ("takes" if mine else "refuses", "takes" if theirs else "refuses",
                                                      text, answer))
    print("# %d examples, %d right, %d judged differently" % (n, taken, wrong))
    sys.exit(wrong != 0 or taken < 20)


main()
