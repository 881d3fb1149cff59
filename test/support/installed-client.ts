/** The client's package as an application has it: built, packed, and installed from the tarball into an empty project. */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { buildPackage } from "../../shared/client/package/bundles.ts";
import { Deployment, utf8 } from "./deployment.ts";

const root = join(import.meta.dirname, "../..");
const run = promisify(execFile);

export interface Installed {
  /** The project's folder; the applications of `e2e/client-package` lie there, too. */
  readonly project: string;
  /** Of the package in it. */
  readonly installed: string;
  remove(): void;
}

export async function installClient(): Promise<Installed> {
  const folder = mkdtempSync(join(tmpdir(), "distributary-client-"));
  await buildPackage();
  const packing = ["pack", "--json", "--pack-destination", folder, join(root, "shared/client")];
  const [{ filename }] = JSON.parse((await run("npm", packing)).stdout) as [{ filename: string }];
  const project = join(folder, "project");
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), '{"private":true,"type":"module"}');
  // Nothing is asked of a registry: the package needs nothing.
  await run("npm", ["install", "--offline", join(folder, filename)], { cwd: project });
  cpSync(join(root, "test/e2e/client-package"), project, { recursive: true });
  return {
    project,
    installed: join(project, "node_modules/@distributary/client"),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** What it talks to: everybody may follow and publish. */
export function deployOrders(): Promise<Deployment> {
  return Deployment.start({
    topics: { orders: { stream: { publish: "public" } } },
    originEnv: { PUBLISH_SECRET: "a secret of the tests of 32 bytes or more" },
  });
}

/** An endpoint of its own, with one record. */
export function newOrder(deployment: Deployment, key: string): string {
  deployment.produce("orders", [{ key: utf8(key), value: utf8('{"n":0}') }]);
  return `/orders/${key}`;
}

/** What the application sees there (`application.mjs`) if it misses nothing. */
export const ALL = {
  seen: [{ n: 0 }, { n: 1 }, { n: 2 }],
  recovered: true,
  samePositions: true,
  latest: { n: 2 },
};
