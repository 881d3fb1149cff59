import { expect, test } from "vitest";
import { hint, lineOf, ok, wrong } from "../../../origin/doctor/finding.ts";

test("a finding is one line: the verdict, what was looked at, what was found, and what to do", () => {
  expect([
    lineOf(ok("DATA_DIR", "can be written")),
    lineOf(hint("disk", "1 GiB is free", "make room")),
    lineOf(wrong("broker b:1", "it says:\n  no\n", "see its log")),
  ]).toEqual([
    "ok     DATA_DIR: can be written",
    "hint   disk: 1 GiB is free → make room",
    "wrong  broker b:1: it says: no → see its log",
  ]);
});
