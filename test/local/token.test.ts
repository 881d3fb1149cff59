/** `npm run token`, and the issuer whose key it uses. */
import { spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeJwt } from "jose";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { localIssuer } from "../../edge/local/issuer.ts";
import { root } from "../support/product.ts";

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "distributary-token-"));
});
afterEach(() => rmSync(dataDir, { recursive: true }));

const keyFile = () => join(dataDir, "local-issuer.pem");

function run(...args: readonly string[]) {
  const { stdout, stderr, status } = spawnSync(process.execPath, ["edge/local/token.ts", ...args], {
    cwd: root,
    env: { DATA_DIR: dataDir },
    encoding: "utf8",
  });
  return { out: stdout, err: stderr, code: status };
}

function issuer() {
  const made = localIssuer(dataDir);
  if (!made.ok) throw new Error(made.problem);
  return made.value;
}

describe("the command", () => {
  test("prints a token that the edge accepts, and nothing else", async () => {
    const { out, err, code } = run(
      ...["--subject", "alice", "--subscribe", "/quotes/*", "--subscribe", "/inbox/{sub}"],
      ...["--discover", "/quotes/*", "--admin", "--expires", "2h"],
    );
    expect([err, code]).toEqual(["", 0]);
    expect(out).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);

    expect(await issuer().verify(out.trim(), new Date())).toMatchObject({
      ok: true,
      bearer: {
        issuer: "local",
        subject: "alice",
        tokenId: expect.any(String),
        grants: {
          patterns: { subscribe: ["/quotes/*", "/inbox/alice"], discover: ["/quotes/*"] },
          admin: true,
        },
      },
    });
    const { exp = 0, iat = 0 } = decodeJwt(out.trim());
    expect(exp - iat).toBe(7_200);
  });

  test.each<[string, readonly string[], RegExp]>([
    ["no subject", [], /^--subject is missing/],
    ["a subject that is too long", ["--subject", "a".repeat(300)], /^the edge would refuse .*no sub/],
    [
      "a time without a unit",
      ["--subject", "a", "--expires", "60"],
      /^--expires 60: a number and s, m, h or d/,
    ],
    ["too long a time", ["--subject", "a", "--expires", "31d"], /^--expires 31d: .*up to 30d/],
    ["no time", ["--subject", "a", "--expires", "0s"], /^--expires 0s: /],
    [
      "a star in between",
      ["--subject", "a", "--subscribe", "/a*b"],
      /^--subscribe \/a\*b: only the last character/,
    ],
    [
      "a star after a claim",
      ["--subject", "a", "--discover", "/q/{sub}*"],
      /^--discover \/q\/\{sub\}\*: a \* right after/,
    ],
    [
      "no path",
      ["--subject", "a", "--subscribe", "quotes"],
      /^--subscribe quotes: a pattern must begin with \//,
    ],
    [
      "too many patterns",
      ["--subject", "a", ...Array.from({ length: 51 }, (_, i) => ["--subscribe", `/a/${i}`]).flat()],
      /^the edge would refuse this token: distributary\.subscribe/,
    ],
    [
      "too long patterns",
      [
        "--subject",
        "a",
        "--subscribe",
        `/a/${"x".repeat(1_000)}`,
        "--discover",
        `/${"a".repeat(200)}/${"%FF".repeat(900)}`,
      ],
      /^the edge would refuse this token: it has more than 4096 bytes/,
    ],
  ])("%s is refused with a sentence", (_, args, said) => {
    const { out, err, code } = run(...args);

    expect([out, code]).toEqual(["", 1]);
    expect(err).toMatch(said);
    expect(err).not.toContain("    at ");
  });
});

describe("the key", () => {
  test("is made once, and only its owner can read it", async () => {
    const token = await issuer().mint(
      { subject: "a", subscribe: [], publish: [], discover: [], admin: false, seconds: 60 },
      new Date(),
    );

    expect(statSync(keyFile()).mode & 0o777).toBe(0o600);
    expect(readdirSync(dataDir)).toEqual(["local-issuer.pem"]);
    expect(await issuer().verify(token, new Date())).toMatchObject({ ok: true });
    expect(issuer().settings).toBe(issuer().settings);
  });

  test("its private half isn't in the settings", () => {
    const [{ jwks }] = JSON.parse(issuer().settings) as [{ jwks: { keys: object[] } }];

    expect(jwks.keys.map((key) => Object.keys(key).sort())).toEqual([["alg", "crv", "kid", "kty", "x", "y"]]);
  });

  const pemOf = (namedCurve: string) =>
    generateKeyPairSync("ec", { namedCurve }).privateKey.export({ type: "pkcs8", format: "pem" });
  test.each<[string, () => void, string]>([
    [
      "that others can read",
      () => {
        issuer();
        chmodSync(keyFile(), 0o640);
      },
      "can be read by others than its owner: chmod 600",
    ],
    ["that is no key", () => writeFileSync(keyFile(), "", { mode: 0o600 }), "holds no key; move it away"],
    [
      "of another kind",
      () => writeFileSync(keyFile(), pemOf("P-384"), { mode: 0o600 }),
      "another key than one for ES256",
    ],
  ])("one %s is refused, with what to do", (_, spoil, said) => {
    spoil();

    const { err, code } = run("--subject", "a");

    expect(code).toBe(1);
    expect(err).toContain(`DATA_DIR: the local issuer's key ${keyFile()} `);
    expect(err).toContain(said);
    expect(localIssuer(dataDir).ok).toBe(false);
  });

  test("one that can't be read is refused", () => {
    rmSync(dataDir, { recursive: true });
    writeFileSync(dataDir, "");

    expect(localIssuer(dataDir)).toMatchObject({
      ok: false,
      problem: expect.stringContaining("can't be read: "),
    });
  });
});
