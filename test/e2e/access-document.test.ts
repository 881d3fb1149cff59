/** Tokens as docs/access.md tells people to issue them, and those of `npm run token`: a real edge accepts them. */
import { execFileSync, spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { localIssuer } from "../../edge/local/issuer.ts";
import { Deployment, utf8 } from "../support/deployment.ts";
import { root } from "../support/product.ts";

const document = readFileSync(join(root, "docs/access.md"), "utf8");
const blocks = (language: string) =>
  [...document.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, "gm"))].map(
    ([, code = ""]) => code,
  );

let folder: string;
let edge: Deployment;

const node = (code: string) =>
  execFileSync(process.execPath, ["--input-type=module", "-e", code], {
    cwd: folder,
    encoding: "utf8",
  }).trim();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "distributary-access-"));
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  writeFileSync(join(folder, "private.pem"), privateKey.export({ type: "pkcs8", format: "pem" }));
  const [example = ""] = blocks("js");
  const jwks = JSON.parse(node(`${example}\nconsole.log(JSON.stringify(publicKeys()));`));
  const [{ jwksUrl, ...written }] = JSON.parse(blocks("json")[1] ?? "") as [Record<string, unknown>];
  expect(jwksUrl).toMatch(/^https:/);
  const local = localIssuer(folder);
  if (!local.ok) throw new Error(local.problem);
  edge = await Deployment.start({
    topics: { quotes: { stream: { subscribe: "token" } }, inbox: { stream: { subscribe: "token" } } },
    edgeEnv: { AUTH_ISSUERS: JSON.stringify([{ ...written, jwks }, ...JSON.parse(local.value.settings)]) },
  });
  for (const topic of ["quotes", "inbox"]) edge.produce(topic, [{ key: utf8("alice"), value: utf8("1") }]);
});
afterAll(async () => {
  await edge?.stop();
  rmSync(folder, { recursive: true });
});

async function statuses(token: string): Promise<number[]> {
  const headers = { Authorization: `Bearer ${token}` };
  const paths = ["/quotes/alice", "/inbox/alice", "/inbox/bob"];
  return Promise.all(paths.map(async (path) => (await fetch(`${edge.url}${path}`, { headers })).status));
}

test("the example in Node issues tokens that the edge accepts, for what they allow", async () => {
  const [example = ""] = blocks("js");

  expect(await statuses(node(`${example}\nconsole.log(await tokenFor("alice"));`))).toEqual([200, 200, 404]);
});

const hasPython = spawnSync("python3", ["-c", "import jwt, cryptography"]).status === 0;
test.skipIf(!hasPython)("so does the example in Python", async () => {
  const code = `${blocks("py")[0]}\nprint(token_for("alice"))`;
  const token = execFileSync("python3", ["-c", code], { cwd: folder, encoding: "utf8" }).trim();

  expect(await statuses(token)).toEqual([200, 200, 404]);
});

test("and so does npm run token", async () => {
  const args = ["--data-dir", folder, "--subject", "alice", "--subscribe", "/quotes/*"];
  const token = execFileSync(process.execPath, ["edge/local/token.ts", ...args], {
    cwd: root,
    encoding: "utf8",
  });

  expect(await statuses(token.trim())).toEqual([200, 404, 404]);
});
