/**
 * Runs workerd as a child that ends with this process, however that ends, and says when it listens and when it has
 * ended.
 */
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { keepGuarded, mortal } from "./mortal.ts";
import { TIME_LIMITS } from "./time-limits.ts";

export interface Workerd {
  /** undefined if it could not be started. */
  readonly pid: number | undefined;
  /** Settles when it accepts connections; never where it ends before that. */
  readonly listening: Promise<void>;
  /** How it ended, in words; settles when it has. */
  readonly ended: Promise<string>;
  /** Lets requests finish for a moment, then ends it. */
  stop(): Promise<void>;
}

/** @param print takes each line that workerd or the Worker writes */
export function runWorkerd(
  configFile: string,
  env: NodeJS.ProcessEnv,
  print: (line: string) => void,
): Workerd {
  const [command, ...args] = mortal([binary(), "serve", "--control-fd=3", configFile]);
  const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe", "pipe"] });
  const [, stdout, stderr, control] = child.stdio;
  const lines = (stream: unknown, take: (line: string) => void) =>
    createInterface({ input: stream as Readable }).on("line", take);
  lines(stdout, print);
  lines(stderr, print);

  const listening = new Promise<void>((resolve) => {
    lines(control, (line) => line.includes('"listen"') && resolve());
  });
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(`could not be started: ${error.message}`));
    child.once("close", (code, signal) =>
      resolve(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`),
    );
  });
  if (child.pid !== undefined) keepGuarded(child.pid, ended);

  return {
    pid: child.pid,
    listening,
    ended,
    stop: async () => {
      child.kill("SIGTERM");
      const force = setTimeout(() => child.kill("SIGKILL"), TIME_LIMITS.workerdDrainMs);
      await ended;
      clearTimeout(force);
    },
  };
}

/** Without a shell and without the package's wrapper script, so that the child is workerd itself. */
function binary(): string {
  const workerd = createRequire(import.meta.url)("workerd") as { readonly default: string };
  return process.env.MINIFLARE_WORKERD_PATH ?? workerd.default;
}
