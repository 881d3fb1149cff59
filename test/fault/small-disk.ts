/** A disk of a known size, to be filled: a tmpfs, where the machine lets us mount one. */
import { execFile } from "node:child_process";
import { mkdirSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export class SmallDisk {
  readonly folder: string;

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
  }

  get #filler(): string {
    return join(this.folder, "filler");
  }

  /** Leaves not a byte. */
  async fill(): Promise<void> {
    const { bavail, bsize } = statfsSync(this.folder);
    if (bavail > 0) await run("fallocate", ["-l", String(bavail * bsize), this.#filler]);
  }

  free(): void {
    rmSync(this.#filler, { force: true });
  }

  async unmount(): Promise<void> {
    await run("umount", ["-l", this.folder]);
  }
}
