/** A part of the product: a script in a Node process of its own, which ends with the one who started it. */
import { type ChildProcess, spawn } from "node:child_process";

export interface PartSettings {
  /** For people. */
  readonly name: string;
  readonly script: string;
  /** Of Node itself. */
  readonly nodeFlags: readonly string[];
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Whether what it writes to stdout is seen; stderr is in any case. */
  readonly verbose: boolean;
}

export class Part {
  readonly name: string;
  /** How it ended, in words; settles when it has. */
  readonly ended: Promise<string>;
  /** Settles at its first message; never if it ends before. */
  readonly spoke: Promise<void>;
  readonly #process: ChildProcess;

  /** In a process group of its own: a Ctrl-C in the terminal reaches it through its starter only, and in order. */
  constructor({ name, script, nodeFlags, args, env, verbose }: PartSettings) {
    this.name = name;
    const child = spawn(process.execPath, [...nodeFlags, script, ...args], {
      env,
      detached: true,
      stdio: ["ignore", verbose ? "inherit" : "ignore", "inherit", "ipc"],
    });
    this.ended = new Promise((resolve) => {
      child.once("error", (error) => resolve(`could not be started: ${error.message}`));
      child.once("exit", (code, signal) =>
        resolve(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`),
      );
    });
    this.spoke = new Promise((resolve) => child.once("message", () => resolve()));
    this.#process = child;
  }

  /** Calls `listener` with each message from it. */
  onMessage(listener: (message: unknown) => void): void {
    this.#process.on("message", listener);
  }

  /** Asks it to end; nothing happens if it has. */
  stop(signal: "SIGTERM" | "SIGKILL"): void {
    this.#process.kill(signal);
  }
}
