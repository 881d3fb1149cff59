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

export interface End {
  /** In words. */
  readonly how: string;
  /** It wasn't ended by somebody who wants it gone. */
  readonly isCrash: boolean;
}

export interface Workerd {
  /** undefined if it could not be started. */
  readonly pid: number | undefined;
  /** The port on which it accepts connections; never if it ends before that. */
  readonly listening: Promise<number>;
  /** Settles when it has ended. */
  readonly ended: Promise<End>;
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

  const listening = new Promise<number>((resolve) => {
    lines(control, (line) => {
      const port = portIn(line);
      if (port !== undefined) resolve(port);
    });
  });
  const ended = new Promise<End>((resolve) => {
    child.once("error", (error) =>
      resolve({ how: `could not be started: ${error.message}`, isCrash: false }),
    );
    child.once("close", (code, signal) =>
      resolve(
        signal === null
          ? { how: `ended with exit code ${code}`, isCrash: true }
          : { how: `was ended by ${signal}`, isCrash: !ASKED.has(signal) },
      ),
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

/** By which a process is ended, and doesn't end by itself. */
const ASKED: ReadonlySet<NodeJS.Signals> = new Set(["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"]);

/** Of a line on the control descriptor: where it listens; undefined if it says something else. */
function portIn(line: string): number | undefined {
  const { event, port } = JSON.parse(line) as { readonly event?: unknown; readonly port?: unknown };
  return event === "listen" && typeof port === "number" ? port : undefined;
}

/** It is a package of its own, of 160 MB, which those don't need who run the edge elsewhere, or on Node. */
export function hasWorkerd(): boolean {
  try {
    return binary() !== "";
  } catch {
    return false;
  }
}

/** Without a shell and without the package's wrapper script, so that the child is workerd itself. */
function binary(): string {
  const other = process.env.MINIFLARE_WORKERD_PATH;
  if (other !== undefined) return other;
  const workerd = createRequire(import.meta.url)("workerd") as { readonly default: string };
  return workerd.default;
}
