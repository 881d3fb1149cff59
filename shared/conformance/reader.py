#!/usr/bin/env python3
"""Reads the cases of this folder with nothing but Python's own library, and works out by PROTOCOL.md alone what a client tells
its user of updates: which of them, which losses, and when it is live. It is no client: dials and times are taken from the case.

    python3 shared/conformance/reader.py          the cases of connection.json
    python3 shared/conformance/reader.py -        cases from standard input
"""

import json
import pathlib
import re
import sys

SEPARATOR = "\x1e"  # F10
HERE = pathlib.Path(__file__).parent


def position(text):
    """P1, P2."""
    if text == "-":
        return {}
    return {epoch: int(offset) for epoch, offset in (one.split(":") for one in text.split(","))}


def written(place):
    return ",".join(f"{epoch}:{place[epoch]}" for epoch in sorted(place)) or "-"


def reached(place, head):
    """S14."""
    return all(place.get(epoch, -1) >= offset for epoch, offset in head.items())


class Endpoint:
    """What a receiver of one endpoint knows (section "A receiver, step by step")."""

    def __init__(self, path, place):
        self.path, self.place, self.head = path, place, {}
        self.state, self.id, self.gaps = "away", None, 0

    def begin(self, said):
        """S3, S5: a verdict, or a reset, which is one that says that nothing was recovered."""
        if self.place is None:
            # Nothing was promised before.
            self.place = position(said["position"])
        elif said.get("recovered") is not True:
            yield f"lost {said['cause']}"
            self.place = position(said["position"])
        yield from self.adopt(position(said["head"]))

    def adopt(self, head):
        self.head = head
        if reached(self.place, head):
            self.state = "live"
            yield "live"
        else:
            self.state = "catching up"

    def update(self, frame):
        """P5, S15."""
        epoch, offset = frame["p"].split(":")
        offset, before, at = int(offset), frame.get("q", -1), self.place.get(epoch, -1)
        if offset <= at:
            return
        if before > at:
            self.gaps += 1
            self.state = "away"
            if self.gaps >= 5:
                yield "lost broken"
                self.place = None
            return
        self.gaps = 0
        self.place = {**self.place, epoch: offset}
        yield f"update {written(self.place)}"
        if self.state == "catching up" and reached(self.place, self.head):
            self.state = "live"
            yield "live"


def expected(case):
    """What the client tells of updates, losses and states, with the times."""
    endpoints, told = {}, []
    says = sorted(case["does"]["says"], key=lambda one: one[0])
    for step in case["happens"]:
        at = step["at"]
        # What it said before this: the last subscribe to each endpoint is the one that counts (S13).
        while says and says[0][0] < at:
            _, said = says.pop(0)
            for one in said.get("subs", [said]):
                if "sub" in one and one["sub"] in endpoints:
                    endpoint = endpoints[one["sub"]]
                    endpoint.state, endpoint.id = "asked", one["id"]
        if "subscribe" in step:
            start = step.get("from")
            place = None if start in (None, "oldest") else position(start)
            endpoints[step["subscribe"]] = Endpoint(step["subscribe"], place)
        elif "unsubscribe" in step:
            del endpoints[step["unsubscribe"]]
        elif "closes" in step:
            for endpoint in endpoints.values():
                endpoint.state = "away"
        elif "hears" in step:
            for text in step["hears"].split(SEPARATOR):
                told += [[at, line] for line in hear(endpoints, json.loads(text))]
    return told


def hear(endpoints, frame):
    """One frame, as it stands in a message."""
    if "e" in frame:
        endpoint = endpoints.get(frame["e"])
        if endpoint is not None and endpoint.state in ("catching up", "live"):
            yield from (f"{endpoint.path} {line}" for line in endpoint.update(frame))
    elif "reset" in frame:
        endpoint = endpoints.get(frame["reset"])
        if endpoint is not None and endpoint.state in ("catching up", "live"):
            yield from (f"{endpoint.path} {line}" for line in endpoint.begin(frame))
    elif "head" in frame.get("ok", {}):
        for endpoint in endpoints.values():
            if endpoint.id == frame["id"] and endpoint.state == "asked":
                yield from (f"{endpoint.path} {line}" for line in endpoint.begin(frame["ok"]))


WORKED_OUT = re.compile(r"^/\S+ (update|lost|live)\b")
OUTPUTS = {"asks", "dials", "hangsUp", "says", "tells"}


def problems(case):
    """What is wrong with a case, in words."""
    for field in ("id", "rules", "name", "happens", "until", "does"):
        if field not in case:
            yield f"it has no {field}"
    times = [step["at"] for step in case["happens"]]
    if times != sorted(times) or times[-1] > case["until"]:
        yield "its times don't go forward"
    if set(case["does"]) != OUTPUTS:
        yield f"it says nothing of {OUTPUTS - set(case['does'])}"
    ids = [one["id"] for _, said in case["does"]["says"] for one in said.get("subs", [said]) if "id" in one]
    # M2: larger than all before on the connection; a new connection begins anew.
    if any(after <= before and after != 1 for before, after in zip(ids, ids[1:])):
        yield f"ids don't grow: {ids}"
    told = [[at, line] for at, line in case["does"]["tells"] if WORKED_OUT.match(line)]
    should = [[at, line] for at, line in expected(case) if WORKED_OUT.match(line)]
    if told != should:
        yield f"it should tell {should}, and tells {told}"


def main():
    text = sys.stdin.read() if sys.argv[1:] == ["-"] else (HERE / "connection.json").read_text("utf8")
    cases = json.loads(text)["cases"]
    wrong = [f"{case['id']}: {problem}" for case in cases for problem in problems(case)]
    print("\n".join(wrong) if wrong else f"{len(cases)} cases are as they should be")
    sys.exit(1 if wrong else 0)


main()
