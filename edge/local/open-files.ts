/** How many files a process of this one's may open: Node has raised that to what the system allows. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const execute = promisify(execFile);

export async function openFiles(): Promise<number> {
  const { stdout } = await execute("/bin/sh", ["-c", "ulimit -n"]);
  return stdout.trim() === "unlimited" ? Number.POSITIVE_INFINITY : Number(stdout);
}
