/** Runs the edge on Node, as a child that ends with this process, and says when it listens and when it has ended. */
import { fork } from "node:child_process";
import { extname, join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { Listening, Passed, Place } from "./siblings/passed.ts";
import type { Switchboard } from "./siblings/switchboard.ts";
import type { WorkerSettings } from "./worker.ts";

/** What main.ts reads. */
export interface RunSettings extends Omit<WorkerSettings, "env"> {
  readonly host: string;
  readonly port: number;
  readonly vars: Readonly<Record<string, unknown>>;
  /** Names; they are taken from its environment. */
  readonly secrets: readonly string[];
  /** If it is one of several at that address. */
  readonly place?: Place;
}

export interface Running {
  readonly pid: number | undefined;
  /** The port on which it accepts connections; never if it ends before that. */
  readonly listening: Promise<number>;
  /** How it ended, in words, and whether nobody wanted that. */
  readonly ended: Promise<{ readonly how: string; readonly isCrash: boolean }>;
  /** Lets requests finish for so long, then ends it. */
  stop(drainMs: number): Promise<void>;
}

export const NODE_FLAGS = [
  // What a fan-out leaves at once dies young: fewer, larger collections of the young move less of what stays.
  "--max-semi-space-size=16",
  // For objects/collect.ts.
  "--expose-gc",
  // Node 22 tells of its SQLite that it is experimental.
  "--disable-warning=ExperimentalWarning",
];
/** By which a process is ended, and doesn't end by itself. */
const ASKED: ReadonlySet<NodeJS.Signals> = new Set(["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"]);

/**
 * @param settingsFile RunSettings, as JSON
 * @param print takes each line that it, or the Worker, writes
 * @param listen hears what it says to others at its address
 */
export function runOnNode(
  settingsFile: string,
  env: NodeJS.ProcessEnv,
  print: (line: string) => void,
  listen?: (child: Parameters<Switchboard["join"]>[1]) => void,
): Running {
  const child = fork(join(import.meta.dirname, `main${extname(import.meta.filename)}`), [settingsFile], {
    env,
    execArgv: NODE_FLAGS,
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  listen?.(child);
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream as Readable }).on("line", print);
  const ended = new Promise<{ how: string; isCrash: boolean }>((resolve) => {
    child.once("error", (error) =>
      resolve({ how: `could not be started: ${error.message}`, isCrash: false }),
    );
    child.once("close", (code, signal) =>
      resolve(
        signal === null
          ? { how: `ended with exit code ${code}`, isCrash: true }
          : { how: `was ended by ${signal}${meaningOf(signal)}`, isCrash: !ASKED.has(signal) },
      ),
    );
  });
  return {
    pid: child.pid,
    listening: new Promise((resolve) => {
      child.on("message", (message) => {
        const said = message as Listening | Passed;
        if (said.kind === "listening") resolve(said.port);
      });
    }),
    ended,
    stop: async (drainMs) => {
      child.kill("SIGTERM");
      const force = setTimeout(() => child.kill("SIGKILL"), drainMs);
      await ended;
      clearTimeout(force);
    },
  };
}

/** V8 ends a process so whose heap is full. */
function meaningOf(signal: NodeJS.Signals): string {
  return signal === "SIGABRT" ? ", as when its memory is full" : "";
}
