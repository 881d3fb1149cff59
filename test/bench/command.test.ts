/** `npm run bench` as a person runs it: what it says and leaves where it can't run, or is interrupted. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bench-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly said: string;
}

/** In a process group of its own, as a terminal starts it; `heard` gets all that it has said on stderr so far. */
async function run(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  heard: (said: string, group: number) => void = () => {},
): Promise<Ended & { readonly group: number }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "main.ts"), ...args], {
    env: { ...process.env, ...env, TMPDIR: folder },
    stdio: ["ignore", "ignore", "pipe"],
    detached: true,
  });
  const group = child.pid ?? 0;
  let said = "";
  child.stderr.on("data", (data: Buffer) => {
    said += data.toString();
    heard(said, group);
  });
  // The processes of the load share its stderr, which closes with the last of them.
  const [code] = (await once(child, "close")) as [number | null];
  return { code, said, group };
}

test("what makes no sense ends it with 2, and is said by the flag's name", async () => {
  expect(await run(["--clients", "0"], {})).toMatchObject({
    code: 2,
    said: "--clients must be a whole number from 1 to 1000000, not 0\n",
  });
});

test("where Java is missing it says so, and what works without", async () => {
  const { code, said } = await run([], { PATH: folder });

  expect(code).toBe(1);
  expect(said).toContain("java is not on this machine");
  expect(said).toContain("--source embedded");
  expect(said).not.toContain("    at ");
});

test("where Centrifugo is missing it says so before anything is started", async () => {
  const { code, said } = await run(["--system", "centrifugo", "--json-payload"], { CENTRIFUGO: undefined });

  expect(code).toBe(1);
  expect(said).toMatch(/^CENTRIFUGO is missing/);
});

test("a run in which nothing was lost ends with 0", async () => {
  const args = ["--source", "embedded", "--clients", "20", "--duration", "2", "--warm-up", "0.1"];

  expect(await run(args, {})).toMatchObject({ code: 0, said: expect.stringContaining("messages/s") });
});

test.each(["starting distributary", "connecting", "messages/s"])(
  "Ctrl-C after “%s” ends all its processes and removes what they stored",
  async (moment) => {
    let interrupted = false;
    const args = ["--source", "embedded", "--clients", "20", "--duration", "600", "--warm-up", "0.1"];
    const { code, group } = await run(args, {}, (said, pid) => {
      if (interrupted || !said.includes(moment)) return;
      interrupted = true;
      // A terminal tells all of the group, and npm passes on what it got.
      process.kill(-pid, "SIGINT");
      process.kill(pid, "SIGINT");
    });

    expect(code).toBe(130);
    expect(() => process.kill(-group, 0)).toThrow("ESRCH");
    expect(readdirSync(folder).filter((name) => name.startsWith("distributary-"))).toEqual([]);
  },
);
