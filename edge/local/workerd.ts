/** Runs workerd as a child that ends with this process, and says when it listens and when it has ended. */
import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/** workerd ends on SIGTERM once its last connection has; subscribers stay for ever. */
const DRAIN_MS = 500;

export interface Workerd {
  /** undefined where it could not be started. */
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
  const child = spawn(binary(), ["serve", "--control-fd=3", configFile], {
    env,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  const [, stdout, stderr, control] = child.stdio;
  const lines = (stream: unknown, take: (line: string) => void) =>
    createInterface({ input: stream as Readable }).on("line", take);
  lines(stdout, print);
  lines(stderr, print);

  const guard = child.pid === undefined ? undefined : guardOver(child.pid);
  const listening = new Promise<void>((resolve) => {
    lines(control, (line) => line.includes('"listen"') && resolve());
  });
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(`could not be started: ${error.message}`));
    child.once("close", (code, signal) =>
      resolve(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`),
    );
  });
  void ended.then(() => guard?.kill("SIGKILL"));

  return {
    pid: child.pid,
    listening,
    ended,
    stop: async () => {
      child.kill("SIGTERM");
      const force = setTimeout(() => child.kill("SIGKILL"), DRAIN_MS);
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

/** In a group of its own: a Ctrl-C in the terminal must not end the guard before it is needed. */
function guardOver(pid: number): ChildProcess {
  const guard = spawn(process.execPath, [join(import.meta.dirname, "guard.ts"), String(pid)], {
    detached: true,
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  guard.channel?.unref();
  guard.unref();
  return guard;
}
