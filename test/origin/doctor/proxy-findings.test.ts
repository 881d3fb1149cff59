import { expect, test } from "vitest";
import {
  ledBelow,
  PROBES,
  type Probed,
  pathFindings,
  redirectFinding,
  upgradeFinding,
} from "../../../origin/doctor/proxy-findings.ts";

const probed = (come: (sent: string) => Probed["came"]) =>
  PROBES.map(({ sent }): Probed => ({ sent, came: come(sent) }));

test("a proxy that leaves paths alone is all right", () => {
  expect(
    pathFindings(
      "p",
      probed((sent) => sent),
    ),
  ).toMatchObject([{ verdict: "ok" }]);
});

test("what a proxy makes of paths is told for each kind of key, with what to do", () => {
  const decodes = probed((sent) =>
    sent === "/a%00b" ? 400 : decodeURIComponent(sent.replace("%25", "%2525")),
  );

  const findings = pathFindings("p", decodes);

  expect(findings.map(({ verdict, says }) => [verdict, says])).toEqual([
    ["wrong", "keys with special characters can't be reached by their URL: /a%3Ab arrives as /a:b"],
    ["wrong", "keys with a slash can't be reached by their URL: /a%2Fb arrives as /a/b"],
    ["wrong", "keys with two slashes can't be reached by their URL: /a%2F%2Fb arrives as /a//b"],
    ["wrong", "keys with a backslash can't be reached by their URL: /a%5Cb arrives as /a\\b"],
    [
      "wrong",
      "keys with a zero byte can't be reached by their URL: /a%00b is answered with status 400 before it gets there",
    ],
  ]);
  expect(findings[0]?.todo).toContain("$b64.");
});

test("one that swallows slashes is told of for the keys that have them", () => {
  const merges = probed((sent) => sent.replaceAll(/%2F%2F|\/\//g, "/"));

  expect(pathFindings("p", merges).map(({ says }) => says)).toEqual([
    "keys with two slashes can't be reached by their URL: /a%2F%2Fb arrives as /a/b",
    "keys with an empty segment can't be reached by their URL: /a//b arrives as /a/b",
  ]);
});

test.each([
  ["https://e.example/", "/$/", ""],
  ["https://e.example/live", "/live/$/", "/live"],
  ["https://e.example/live/", "https://e.example/$/", ""],
  ["https://e.example/", "http://127.0.0.1:8787/$/", undefined],
  ["https://e.example/live", "/live/", undefined],
  ["https://e.example/live", "//", undefined],
])("at %s a redirect to %s leads to an edge below %s", (url, location, below) => {
  expect(ledBelow(new URL(url), location)).toBe(below);
});

test.each([
  ["https://e.example/live", "/live/$/", true, "ok", undefined],
  ["https://e.example/live", "/$/", false, "wrong", "set BASE_PATH=/live at the edge"],
  ["https://e.example/", "http://127.0.0.1:8787/$/", false, "wrong", expect.stringContaining("Location")],
])("at %s a redirect to %s, where the edge is: %s, is %s", (url, location, arrives, verdict, todo) => {
  expect(redirectFinding("p", new URL(url), location, arrives)).toMatchObject({ verdict, todo });
});

test("where there is no edge, or an older one, that is told once", () => {
  expect(
    pathFindings(
      "p",
      probed(() => 404),
    ),
  ).toMatchObject([{ verdict: "hint" }]);
});

test.each([
  [101, "ok", "lets WebSockets through"],
  [426, "wrong", "WebSockets don't get through: an upgrade is answered with status 426"],
  ["socket hang up", "wrong", "WebSockets don't get through: socket hang up"],
])("an upgrade that is answered with %s is %s", (found, verdict, says) => {
  expect(upgradeFinding("p", found)).toMatchObject({ verdict, says });
});
