/** A program that runs beside the example, as one would start it in another terminal. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

export interface Running {
  /** What it said when it was ready. */
  readonly said: string;
  stop(): Promise<void>;
}

const root = join(import.meta.dirname, "..");

/** Starts a script of the project; resolves at the first line that matches, or throws with what it said instead. */
export async function run(
  script: string,
  args: readonly string[],
  ready: RegExp,
  env: Readonly<Record<string, string>> = {},
): Promise<Running> {
  const child = spawn(process.execPath, [script, ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    // A Ctrl-C in the terminal is the example's to pass on.
    detached: true,
    // By the channel it notices that the example has gone, however that ended.
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  if (child.stdout === null) throw new Error(`what ${script} says can't be read`);
  const lines = createInterface({ input: child.stdout });
  const ended = once(child, "exit");
  const said = await new Promise<string>((resolve, reject) => {
    lines.on("line", (line) => ready.test(line) && resolve(line));
    void ended.then(([code]) => reject(new Error(`${script} ended with exit code ${code}`)), reject);
  });
  return {
    said,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGTERM");
      await ended;
    },
  };
}
