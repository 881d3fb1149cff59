/** A disk of a known size, to be filled: a tmpfs, where the machine lets us mount one. */
import { execFile, execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { atExit } from "./at-exit.ts";

const run = promisify(execFile);
const LAST_BYTES = 8 * 1024 * 1024;
const PIECE_BYTES = 4_096;

export class SmallDisk {
  readonly folder: string;
  /** The run isn't ended by a signal any more. */
  readonly #isUnmounted: () => void;

  /** Resolves with the reason where nothing can be mounted here. */
  static async mount(folder: string, megabytes: number): Promise<SmallDisk | string> {
    mkdirSync(folder, { recursive: true });
    try {
      await run("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", folder]);
      return new SmallDisk(folder);
    } catch (error) {
      return `a tmpfs can't be mounted here: ${error instanceof Error ? error.message.trim().split("\n").at(-1) : error}`;
    }
  }

  private constructor(folder: string) {
    this.folder = folder;
    this.#isUnmounted = atExit(() => execFileSync("umount", ["-l", folder]));
  }

  get #filler(): string {
    return join(this.folder, "filler");
  }

  /** Leaves not a byte. Others may be writing meanwhile. */
  async fill(): Promise<void> {
    const { bavail, bsize } = statfsSync(this.folder);
    const most = bavail * bsize - LAST_BYTES;
    if (most > 0) await run("fallocate", ["-l", String(most), this.#filler]);
    const file = openSync(this.#filler, "a");
    try {
      for (;;) writeSync(file, Buffer.alloc(PIECE_BYTES));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    } finally {
      closeSync(file);
    }
  }

  free(): void {
    rmSync(this.#filler, { force: true });
  }

  async unmount(): Promise<void> {
    this.#isUnmounted();
    await run("umount", ["-l", this.folder]);
  }
}
