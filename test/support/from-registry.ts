/**
 * Packages that tests need in other versions than those that are installed: fetched once, and kept beside what npm has installed. Not
 * as dependencies: of Node, the command `node` would take the place of that of this version, and two versions of React don't agree.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const cache = join(import.meta.dirname, "../../node_modules/.cache/from-registry");

/** The folder with their `node_modules`; undefined if they can't be had. Each is a name and a version, as in `react@18.3.1`. */
export function fromRegistry(...packages: readonly string[]): string | undefined {
  const folder = join(cache, packages.join("+"));
  if (existsSync(folder)) return folder;
  const unfinished = `${folder}.${process.pid}`;
  try {
    mkdirSync(unfinished, { recursive: true });
    writeFileSync(join(unfinished, "package.json"), '{"private":true}');
    const flags = ["--no-audit", "--no-fund", "--ignore-scripts"];
    execFileSync("npm", ["install", ...flags, ...packages], { cwd: unfinished, stdio: "pipe" });
    mkdirSync(dirname(folder), { recursive: true });
    renameSync(unfinished, folder);
  } catch {
    // Another test may have been first.
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return existsSync(folder) ? folder : undefined;
}

/** The binary of a version of Node; undefined if it can't be had. */
export function otherNode(version: string): string | undefined {
  const packaged = `node-${process.platform}-${process.arch}`;
  const folder = fromRegistry(`${packaged}@${version}`);
  return folder && join(folder, "node_modules", packaged, "bin/node");
}

/** The same of Deno. */
export function deno(version: string): string | undefined {
  const packaged = `@deno/${process.platform}-${process.arch}${process.platform === "linux" ? "-glibc" : ""}`;
  const folder = fromRegistry(`${packaged}@${version}`);
  return folder && join(folder, "node_modules", packaged, "deno");
}

/** The same of Bun. */
export function bun(version: string): string | undefined {
  const packaged = `@oven/bun-${process.platform}-${process.arch === "arm64" ? "aarch64" : process.arch}`;
  const folder = fromRegistry(`${packaged}@${version}`);
  return folder && join(folder, "node_modules", packaged, "bin/bun");
}
