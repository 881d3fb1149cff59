import { expect, test } from "vitest";
import { hiding } from "../../../origin/operate/log.ts";
import { Secrets, secretsIn } from "../../../origin/settings/secrets.ts";
import { PAIRS } from "../../support/tls-pairs.ts";

test("what is hidden are the secrets of the start, and those that have come since, from when they have", () => {
  const secrets = new Secrets(["old one"]);
  const hide = hiding(secrets);
  expect(hide("old one, new one")).toBe("[secret], new one");

  secrets.add("new one");

  expect(hide("old one, new one")).toBe("[secret], [secret]");
});

test("of those that came later the newest are kept, however often one is replaced", () => {
  const secrets = new Secrets(["the first"]);

  for (let number = 0; number < 1_000; number++) secrets.add(`secret ${number}`);

  expect([...secrets]).toHaveLength(101);
  expect([...secrets]).toEqual(expect.arrayContaining(["the first", "secret 900", "secret 999"]));
});

test("of an uplink key the secret is hidden by itself as well, of a password with a colon nothing else", () => {
  const secret = "s".repeat(32);

  expect(secretsIn([`k1:a:${secret}\n`, "pass:w\n", PAIRS[0].cert, PAIRS[0].key])).toEqual([
    `k1:a:${secret}`,
    secret,
    "pass:w",
  ]);
});

test("of several keys, or of addresses with keys, each secret is hidden by itself", () => {
  const [one, other] = ["s".repeat(32), "t".repeat(32)];

  expect(secretsIn([`k1:a:${one},k2:a:${other}`])).toEqual(expect.arrayContaining([one, other]));
  expect(secretsIn([`https://a.example k1:a:${one}\n# B\nhttps://b.example  k2:a:${other}\n`])).toEqual(
    expect.arrayContaining([one, other]),
  );
});
