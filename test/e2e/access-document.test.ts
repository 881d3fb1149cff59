/** Tokens as docs/access.md tells people to issue them, and those of `npm run token`: a real edge accepts them. */
import { execFileSync, spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { localIssuer } from "../../edge/local/issuer.ts";
import { Deployment, utf8 } from "../support/deployment.ts";
import { kafkaClasspath } from "../support/kafka-classpath.ts";
import { root } from "../support/product.ts";

const document = readFileSync(join(root, "docs/access.md"), "utf8");
const blocks = (language: string) =>
  [...document.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, "gm"))].map(
    ([, code = ""]) => code,
  );

let folder: string;
let edge: Deployment;

const node = (code: string) => output(process.execPath, ["--input-type=module", "-e", code]);

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

/** Skipped, with the reason in its name, where the language isn't there. */
function testIn(language: string, missing: string | undefined, run: () => string): void {
  const name = `so does the example in ${language}`;
  if (missing !== undefined) test.skip(`${name} (skipped: ${missing})`, () => {});
  else test(name, async () => expect(await statuses(run())).toEqual([200, 200, 404]), MINUTES);
}

/** A compiler that runs for the first time, on a machine that is busy. */
const MINUTES = 300_000;

function output(command: string, args: readonly string[]): string {
  return execFileSync(command, args, { cwd: folder, encoding: "utf8" }).trim();
}

const missingOf = (what: string, command: string, args: readonly string[]) =>
  spawnSync(command, args).status === 0 ? undefined : `${what} is missing`;

const noPython = missingOf("Python with PyJWT and cryptography", "python3", [
  "-c",
  "import jwt, cryptography",
]);
testIn("Python", noPython, () => output("python3", ["-c", `${blocks("py")[0]}\nprint(token_for("alice"))`]));

testIn("Go", missingOf("Go", "go", ["version"]), () => {
  const [example = ""] = blocks("go");
  const code = example.replace('"errors"\n', '"errors"\n\t"fmt"\n');
  const main = `func main() {
    key, err := signingKey()
    if err != nil {
      panic(err)
    }
    token, err := tokenFor("alice", key)
    if err != nil {
      panic(err)
    }
    fmt.Println(token)
  }`;
  writeFileSync(join(folder, "main.go"), `${code}\n${main}\n`);
  return output("go", ["run", "main.go"]);
});

/** Kafka's own jars have the example's library. */
const java = await kafkaClasspath().then(
  (classpath) => ({ classpath, missing: undefined }),
  (error: Error) => ({ classpath: "", missing: error.message }),
);
testIn("Java", java.missing, () => {
  const main = `class Main {
    public static void main(String[] args) throws Exception {
      System.out.println(Tokens.tokenFor("alice", Tokens.signingKey()));
    }
  }`;
  const [imports, tokens] = (blocks("java")[0] ?? "").split("\nclass Tokens");
  writeFileSync(join(folder, "Main.java"), `${imports}\n${main}\nclass Tokens${tokens}`);
  return output("java", ["-cp", java.classpath, "Main.java"]);
});

test("and so does npm run token", async () => {
  const args = ["--data-dir", folder, "--subject", "alice", "--subscribe", "/quotes/*"];
  const token = execFileSync(process.execPath, ["edge/local/token.ts", ...args], {
    cwd: root,
    encoding: "utf8",
  });

  expect(await statuses(token.trim())).toEqual([200, 404, 404]);
});
