/** `npm start` as a process, what it prints, and all the processes that hang on it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "./deadline.ts";

export const root = join(import.meta.dirname, "../..");

export class Product {
  readonly process: ChildProcess;
  stdout = "";
  stderr = "";

  /** In a process group of its own, as a terminal would start it. */
  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.process = spawn(process.execPath, ["start.ts", ...args], {
      cwd: root,
      env: { ...process.env, ...env },
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.process.stdout?.on("data", (data: Buffer) => {
      this.stdout += data.toString();
    });
    this.process.stderr?.on("data", (data: Buffer) => {
      this.stderr += data.toString();
    });
  }

  get pid(): number {
    if (this.process.pid === undefined) throw new Error("npm start could not be started");
    return this.process.pid;
  }

  /** Resolves with what was printed once it is ready, or throws with what it said instead. */
  async ready(): Promise<string> {
    await eventually(
      () => {
        if (this.process.exitCode !== null) throw new Error(`ended: ${this.stderr}`);
        return /^ready /m.test(this.stdout) && this.stdout.endsWith("\n\n");
      },
      () => `ready\n${this.stderr}`,
      60_000,
    );
    return this.stdout;
  }

  /** What stands behind a name in the lines below `ready`. */
  line(name: string): string {
    const line = new RegExp(`^  ${name} +(.+)$`, "m").exec(this.stdout)?.[1];
    if (line === undefined) throw new Error(`no line ${name} in\n${this.stdout}`);
    return line;
  }

  /** The exit code; null if a signal ended it. */
  async exit(): Promise<number | null> {
    if (this.process.exitCode === null && this.process.signalCode === null) await once(this.process, "close");
    return this.process.exitCode;
  }

  async stop(): Promise<void> {
    const all = [this.pid, ...descendants(this.pid)];
    this.process.kill("SIGTERM");
    await this.exit();
    await allGone(all);
  }
}

/** The ids of all processes below one, as the kernel has them now. */
export function descendants(pid: number): number[] {
  const children = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((candidate) => parentOf(candidate) === pid);
  return children.flatMap((child) => [child, ...descendants(child)]);
}

function parentOf(pid: number): number | undefined {
  try {
    return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  } catch {
    return undefined;
  }
}

/** The command line of a process, empty where it has ended. */
export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

/** Ends those of the product's processes that a test which failed has left. */
export function endLeft(pids: readonly number[]): void {
  for (const pid of pids) if (/\.ts\b|workerd serve/.test(commandOf(pid))) process.kill(pid, "SIGKILL");
}

/** Waits until none of them is left: 5 s is what is promised, on a machine that has nothing else to do. */
export async function allGone(pids: readonly number[]): Promise<void> {
  await eventually(
    () => pids.every((pid) => commandOf(pid) === ""),
    () => `processes that have ended: ${pids.map((pid) => `${pid} ${commandOf(pid)}`).join("\n")}`,
    20_000,
  );
}
