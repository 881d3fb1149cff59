/** The cases by which clients in any language can be judged (shared/conformance), held against the project's own. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { type Case, play } from "../support/conformance.ts";

const run = promisify(execFile);
const folder = join(import.meta.dirname, "../../shared/conformance");
const { cases } = JSON.parse(readFileSync(join(folder, "connection.json"), "utf8")) as {
  readonly cases: readonly Case[];
};

describe("connection.json", () => {
  test.each(cases.map((one) => [one.rules.map((rule) => `[${rule}]`).join(" "), one.id, one] as const))(
    "%s %s",
    async (_, __, one) => {
      expect(await play(one)).toEqual(one.does);
    },
  );

  test("names each case by itself, and rules that there are", () => {
    const rules = readFileSync(join(folder, "../PROTOCOL.md"), "utf8");

    expect(new Set(cases.map(({ id }) => id)).size).toBe(cases.length);
    for (const rule of cases.flatMap((one) => one.rules)) expect(rules).toContain(`**[${rule}]**`);
  });
});

const python = await run("python3", ["--version"]).then(
  () => true,
  () => false,
);

test.skipIf(!python && process.env.CI !== "true")(
  "[P5] [S3] [S14] a reader in Python, which knows nothing of this project's code, comes to the same updates, losses and states",
  async () => {
    const { stdout } = await run("python3", [join(folder, "reader.py")]);
    expect(stdout.trim()).toBe(`${cases.length} cases are as they should be`);
    // It can say no.
    const broken = JSON.parse(JSON.stringify(cases)) as { does: { tells: [number, string][] } }[];
    const tells = broken[0]?.does.tells ?? [];
    tells.splice(
      tells.findIndex(([, what]) => what.includes("update")),
      1,
    );
    const child = run("python3", [join(folder, "reader.py"), "-"]);
    child.child.stdin?.end(JSON.stringify({ cases: broken }));

    await expect(child).rejects.toMatchObject({ stdout: expect.stringContaining("update") });
  },
);
