/** `npm run doctor` on who may issue tokens: what it says, for issuers that answer in every way, and for tokens. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { type AccessQuestion, examineAccess } from "../../doctor/access.ts";
import { localIssuer } from "../../edge/local/issuer.ts";
import { lineOf } from "../../origin/doctor/finding.ts";
import { AUTH_ISSUERS, ISSUER, type TokenOf, tokenOf } from "../support/tokens.ts";

async function lines(question: AccessQuestion): Promise<string[]> {
  const all: string[] = [];
  for await (const finding of examineAccess(question)) all.push(lineOf(finding));
  return all;
}

/** An issuer's URL, and what it answers. */
async function issuers(answer: (response: ServerResponse) => void): Promise<string> {
  const server = createServer((_, response) => answer(response));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return JSON.stringify([
    { issuer: ISSUER, audience: "distributary", jwksUrl: `http://127.0.0.1:${port}/jwks` },
  ]);
}

const JWKS = JSON.stringify((JSON.parse(AUTH_ISSUERS) as [{ jwks: object }])[0].jwks);

describe("issuers", () => {
  test("none are needed, and nothing is said of them", async () => {
    expect(await lines({})).toEqual([]);
  });

  test.each([
    ["[{", /^wrong {2}access: AUTH_ISSUERS isn't JSON/],
    ['[{"issuer":"a"}]', /^wrong {2}access: AUTH_ISSUERS.*an issuer has issuer, audience, and one of/],
    [
      '[{"issuer":"a","audience":"b","jwks":{"keys":[]}}]',
      /^wrong {2}access: AUTH_ISSUERS: the jwks of a has no key that can verify tokens/,
    ],
  ])("%s is told as a problem of the setting, with what to do", async (text, said) => {
    const [line, ...others] = await lines({ AUTH_ISSUERS: text });

    expect(line).toMatch(said);
    expect(line).toContain(" → ");
    expect(others).toEqual([]);
  });

  test("a secret is in no sentence", async () => {
    const secret = "a secret of 32 bytes and more, to be kept";
    const entry = { issuer: "a", audience: "b", secret };
    const wrongEntry = { ...entry, jwksUrl: "https://issuer.example" };

    const said = [
      ...(await lines({ AUTH_ISSUERS: JSON.stringify([entry]), token: "x" })),
      ...(await lines({ AUTH_ISSUERS: JSON.stringify([wrongEntry]) })),
      ...(await lines({ AUTH_ISSUERS: JSON.stringify([{ ...entry, secret: secret.slice(0, 20) }]) })),
    ];
    expect(said.length).toBe(4);
    expect(said.join("\n")).not.toContain(secret.slice(0, 20));
  });

  test.each<[string, (response: ServerResponse) => void, RegExp]>([
    ["with keys", (r) => r.end(JWKS), /^ok {5}issuer https:\/\/issuer\.example: has keys/],
    ["with 404", (r) => r.writeHead(404).end(), /^wrong .*: it answers with status 404 → .*jwksUrl/],
    [
      "with a redirect",
      (r) => r.writeHead(302, { Location: "/other" }).end(),
      /^wrong .*: it answers with status 302 → .*without a redirect/,
    ],
    [
      "with no keys",
      (r) => r.end('{"keys":[]}'),
      /^wrong .*: it answers with no key that can verify tokens → /,
    ],
    ["with a page", (r) => r.end("<html>"), /^wrong .*the keys of http.* can't be had/],
    ["with nothing", (r) => r.destroy(), /^wrong .*the keys of http.* can't be had/],
  ])("one that answers %s", async (_, answer, said) => {
    const found = await lines({ AUTH_ISSUERS: await issuers(answer) });

    expect(found).toEqual([expect.stringMatching(said)]);
  });

  test.each([
    [-90_000, "ahead of"],
    [90_000, "behind"],
  ])("a clock that is %i ms off is told", async (offMs, word) => {
    const answer = (response: ServerResponse) =>
      response.setHeader("Date", new Date(Date.now() + offMs).toUTCString()).end(JWKS);

    expect(await lines({ AUTH_ISSUERS: await issuers(answer) })).toContainEqual(
      expect.stringMatching(
        new RegExp(`^hint {3}clock: this machine's clock is \\d+ s ${word} that of ${ISSUER}`),
      ),
    );
  });

  test("keys that come by http from another machine are told of, since others could put theirs there", async () => {
    const saidOf = async (jwksUrl: string) =>
      (await lines({ AUTH_ISSUERS: JSON.stringify([{ issuer: ISSUER, audience: "a", jwksUrl }]) })).filter(
        (line) => line.startsWith("hint"),
      );

    expect(await saidOf("http://issuer.invalid/jwks")).toEqual([
      expect.stringMatching(
        /^hint {3}issuer https:\/\/issuer\.example: its keys come by http: .* → use https$/,
      ),
    ]);
    for (const url of ["https://issuer.invalid/jwks", "http://localhost:1/jwks"])
      expect(await saidOf(url), url).toEqual([]);
  });

  test("a cookie that counts for no page is told", async () => {
    expect(await lines({ AUTH_COOKIE: "t" })).toEqual([
      expect.stringMatching(/^hint {3}AUTH_COOKIE: .*WEB_ORIGINS/),
    ]);
    expect(await lines({ AUTH_COOKIE: "t", WEB_ORIGINS: "https://app.example.com" })).toEqual([]);
  });

  test("where none are set, the one that npm start made in the data folder counts", async () => {
    const dataDir = mkdtempSync(join(tmpdir(), "distributary-doctor-"));
    onTestFinished(() => rmSync(dataDir, { recursive: true }));
    expect(await lines({ dataDir })).toEqual([]);
    const issuer = localIssuer(dataDir);
    if (!issuer.ok) throw new Error(issuer.problem);
    const rights = { subscribe: ["/quotes/*"], publish: [], discover: [], admin: false };
    const token = await issuer.value.mint({ subject: "alice", ...rights, seconds: 600 }, new Date());

    expect(await lines({ dataDir, token })).toEqual([
      expect.stringMatching(/^ok {5}AUTH_ISSUERS: is not set: the issuer that npm start made/),
      "ok     issuer local: has keys that can verify tokens",
      expect.stringMatching(
        /^ok {5}token: is accepted: alice of local, for (9|10) min more; reads \/quotes\/\*$/,
      ),
    ]);
  });
});

describe("a token", () => {
  test.each<[string, TokenOf, RegExp]>([
    [
      "that allows nothing",
      {},
      /^ok .*alice of https:\/\/issuer\.example.* min more; reads only what is public$/,
    ],
    [
      "that allows much",
      { subject: "bob", subscribe: ["/quotes/{sub}"], discover: ["/q*"], admin: true },
      /reads \/quotes\/bob; may know of \/q\*; may revoke tokens of its issuer$/,
    ],
    [
      "that has expired",
      { from: -600, until: -300 },
      /^wrong .*with expired: it has expired → have a new one/,
    ],
    ["for later", { from: 300 }, /^wrong .*with not_yet_valid: it isn't valid yet → wait/],
    ["for others", { audience: "x" }, /^wrong .*with wrong_audience: its aud is another one → /],
    [
      "with a bad pattern",
      { subscribe: ["/a*b"] },
      /^wrong .*with invalid_token: distributary\.subscribe\.0: only/,
    ],
  ])("%s", async (_, of, said) => {
    const found = await lines({ AUTH_ISSUERS, token: await tokenOf(of) });

    expect(found.at(-1)).toMatch(said);
  });

  test("of a key that its issuer hasn't, which was asked already", async () => {
    const found = await lines({
      AUTH_ISSUERS: await issuers((response) => response.end(JWKS)),
      token: await tokenOf({ kid: "another" }),
    });

    expect(found.at(-1)).toMatch(/^wrong .*with unknown_signer: its issuer has no key with its kid → /);
  });

  test("of an issuer that isn't there, or where there is none", async () => {
    const token = await tokenOf();
    const others = AUTH_ISSUERS.replace(ISSUER, "https://other.example");

    expect((await lines({ AUTH_ISSUERS: others, token })).at(-1)).toMatch(
      /^wrong .*with unknown_signer: its iss /,
    );
    expect(await lines({ token })).toEqual([
      "wrong  token: there are no issuers, so every token is refused (unknown_signer) → set AUTH_ISSUERS",
    ]);
  });
});
