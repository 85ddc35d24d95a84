"""What the Python adapters share: one JSON request a line in, one JSON answer a line out.

Standard output belongs to the answers alone, so whatever a client prints goes to standard error.
"""
import base64
import json
import os
import sys


def unpack(text):
    return None if text is None else base64.b64decode(text)


def pack(data):
    return None if data is None else base64.b64encode(data).decode()


def record(partition, offset, timestamp, key, value, headers):
    return {"partition": partition, "offset": offset, "timestamp": timestamp, "key": pack(key), "value": pack(value),
            "headers": [{"key": k, "value": pack(v)} for k, v in headers or []]}


def serve(client, code):
    """Carry out operations with the methods of client; code gives Kafka's number of an exception."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin.buffer:
        request = json.loads(line.decode())
        for r in request.get("records", ()):
            r["key"], r["value"] = unpack(r["key"]), unpack(r["value"])
            r["headers"] = [(h["key"], unpack(h["value"])) for h in r.get("headers", ())]
        try:
            answer = getattr(client, request["op"])(request) or {}
        except Exception as e:
            answer = {"error": "%s: %s" % (type(e).__name__, e), "code": code(e)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
