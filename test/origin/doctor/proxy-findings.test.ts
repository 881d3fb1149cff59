import { expect, test } from "vitest";
import { PROBES, type Probed, pathFindings, upgradeFinding } from "../../../origin/doctor/proxy-findings.ts";

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
    [
      "wrong",
      "keys with a zero byte can't be reached by their URL: /a%00b is answered with status 400 before it gets there",
    ],
  ]);
  expect(findings[0]?.todo).toContain("$b64.");
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
