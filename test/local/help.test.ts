/** Every script of package.json that is ours, as npm runs it: in a shell, with what stands behind `--` at its end. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { root } from "../support/product.ts";

const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  scripts: Record<string, string>;
};
/** These hand on what they get to programs of others, each with a help of its own. */
const OTHERS = ["deploy", "check", "types", "prepack", "pretest", "test", "test:long"];
const OURS = Object.entries(scripts).filter(([name]) => !OTHERS.includes(name));

/** What a script would write in the project. */
const MADE = [
  "docs/client-api.md",
  "shared/streams.schema.json",
  "shared/issuers.schema.json",
  "dist/page.js",
  "dist/client.js",
];

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "distributary-help-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Where there is no Java, nor anything else but Node and a shell; what it stores lands in the folder. */
async function run(script: string, ...args: readonly string[]) {
  const child = spawn("/bin/sh", ["-c", `${script} ${args.join(" ")}`], {
    cwd: root,
    env: { PATH: dirname(process.execPath), DATA_DIR: join(folder, "data"), TMPDIR: folder },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ]);
  return { out, err, code };
}

const madeAt = () => MADE.map((file) => statSync(join(root, file), { throwIfNoEntry: false })?.mtimeMs);

describe.each(OURS)("npm run %s", (name, script) => {
  test("--help tells of it, and does nothing else", async () => {
    const before = madeAt();

    const { out, err, code } = await run(script, "--help");

    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(new RegExp(`^npm (run )?(-s )?${name}\\b`));
    expect(out).toContain("--help");
    expect(readdirSync(folder)).toEqual([]);
    expect(madeAt()).toEqual(before);
  });

  test("an unknown option is refused with a sentence, and with exit code 2", async () => {
    const before = madeAt();

    const { out, err, code } = await run(script, "--no-such-option");

    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(/^.*Unknown option '--no-such-option'.*\n$/);
    expect(readdirSync(folder)).toEqual([]);
    expect(madeAt()).toEqual(before);
  });
});
