/** What the edge can run on, on this machine: nothing but this file knows of more than one. */
import type { ChildProcess } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { LIMITS } from "../../shared/protocol/limits.ts";
import { type RunSettings, runOnNode } from "../runtime/node/run.ts";
import type { Place } from "../runtime/node/siblings/passed.ts";
import { canSharePort } from "../runtime/node/siblings/shared-port.ts";
import { Switchboard } from "../runtime/node/siblings/switchboard.ts";
import type { Checked } from "./checks.ts";
import { TIME_LIMITS } from "./time-limits.ts";
import { makeWorker } from "./worker-module.ts";
import { hasWorkerd, runWorkerd, type Workerd } from "./workerd.ts";
import { type EdgeConfig, OPTIONAL_SECRETS, workerdConfig } from "./workerd-config.ts";

export interface RuntimeFolders {
  /** Of what is made for this run. */
  readonly folder: string;
  /** The list of what is exposed. */
  readonly streams: string;
}

/** Where to listen and store, and the Worker's variables. */
export interface RunAs {
  readonly host: string;
  readonly port: number;
  /** The folder of the objects' databases; both runtimes use the same. */
  readonly storage: string;
  /** Which one of several edges it is. */
  readonly worker?: Pick<Place, "number" | "count">;
  readonly vars: Readonly<Record<string, string>>;
}

export interface Runtime {
  /** For people. */
  readonly name: string;
  /** Makes what it runs; rejects if that can't be made. */
  prepare(edge: EdgeConfig, folders: RuntimeFolders): Promise<Prepared>;
}

/** Runs it; hears each line that it, or the Worker, writes. `secrets` is its environment. */
type Prepared = (
  as: RunAs,
  secrets: NodeJS.ProcessEnv,
  print: (line: string) => void,
) => Workerd | Promise<Workerd>;

const workerd: Runtime = {
  name: "workerd",
  async prepare(edge, { folder, streams }) {
    const configFile = join(folder, "workerd.capnp");
    const module = join(folder, "worker.js");
    await makeWorker({ main: edge.main, streams, outfile: module, format: "esm" });
    return (as, secrets, print) => {
      writeFileSync(configFile, workerdConfig(edge, { module, ...as }));
      return runWorkerd(configFile, secrets, print);
    };
  },
};

const node: Runtime = {
  name: "the edge on Node",
  async prepare(edge, { folder, streams }) {
    const sharesPort = await canSharePort();
    const switchboard = new Switchboard();
    const module = join(folder, "worker.cjs");
    await makeWorker({ main: edge.main, streams, outfile: module, format: "cjs" });
    return async ({ host, port, storage, worker, vars }, secrets, print) => {
      if (worker !== undefined && !sharesPort) await switchboard.accept(host, port);
      const settings: RunSettings = {
        module,
        storage,
        host,
        port,
        objects: edge.objects,
        vars: { ...edge.vars, ...vars },
        secrets: [...edge.secrets, ...OPTIONAL_SECRETS],
        ...(worker && { place: { ...worker, sharesPort } }),
      };
      const settingsFile = join(folder, `node${worker?.number || ""}.json`);
      writeFileSync(settingsFile, JSON.stringify(settings));
      const heard = worker && ((child: ChildProcess) => switchboard.join(worker.number, child));
      const running = runOnNode(settingsFile, secrets, print, heard);
      return { ...running, stop: () => running.stop(TIME_LIMITS.workerdDrainMs) };
    };
  },
};

const RUNTIMES: Readonly<Record<string, Runtime>> = { workerd, node };

export const RUNTIME_SETTINGS = {
  RUNTIME: {
    means:
      "What the edge runs on: workerd, the reference, or node, which takes less of a machine: docs/own-machines.md.",
    default: "workerd",
  },
  WORKERS: {
    means:
      "How many processes serve the port, each an edge of its own: one for each core. More than 1 need the runtime node: docs/several-edges.md.",
    default: "1",
  },
} as const;

/** How many processes the edge is. */
export function checkWorkers(text: string, runtime: string): Checked<number> {
  const count = /^\d{1,2}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > LIMITS.edgesAtAddress)
    return {
      ok: false,
      problem: `WORKERS must be a whole number from 1 to ${LIMITS.edgesAtAddress}, not ${text}`,
    };
  if (count > 1 && runtime !== "node")
    return {
      ok: false,
      problem: `WORKERS: on ${runtime} an edge is one process; several need \`--runtime node\``,
    };
  return { ok: true, value: count };
}

const WORKERD_MISSING = `RUNTIME: the package workerd isn't installed: \`npm install workerd\` beside distributary, or begin with \`npx -p workerd -p distributary distributary\`; \`--runtime node\` needs none`;

export function checkRuntime(name: string): Checked<Runtime> {
  const value = Object.hasOwn(RUNTIMES, name) ? RUNTIMES[name] : undefined;
  if (value === undefined) return { ok: false, problem: `RUNTIME must be workerd or node, not ${name}` };
  if (value === workerd && !hasWorkerd()) return { ok: false, problem: WORKERD_MISSING };
  return { ok: true, value };
}
