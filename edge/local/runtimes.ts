/** What the edge can run on, on this machine: nothing but this file knows of more than one. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type RunSettings, runOnNode } from "../runtime/node/run.ts";
import type { Checked } from "./checks.ts";
import { TIME_LIMITS } from "./time-limits.ts";
import { makeWorker } from "./worker-module.ts";
import { hasWorkerd, runWorkerd, type Workerd } from "./workerd.ts";
import { type EdgeConfig, OPTIONAL_SECRETS, workerdConfig } from "./workerd-config.ts";

export interface RuntimeFolders {
  /** Of what is made for this run. */
  readonly folder: string;
  /** For the objects' databases; both runtimes use the same. */
  readonly storage: string;
  /** The list of what is exposed. */
  readonly streams: string;
}

/** Where to listen, and the Worker's variables. */
export interface RunAs {
  readonly host: string;
  readonly port: number;
  readonly vars: Readonly<Record<string, string>>;
}

export interface Runtime {
  /** For people. */
  readonly name: string;
  /** Makes what it runs; rejects if that can't be made. */
  prepare(edge: EdgeConfig, folders: RuntimeFolders): Promise<Prepared>;
}

/** Runs it; hears each line that it, or the Worker, writes. `secrets` is its environment. */
type Prepared = (as: RunAs, secrets: NodeJS.ProcessEnv, print: (line: string) => void) => Workerd;

const workerd: Runtime = {
  name: "workerd",
  async prepare(edge, { folder, storage, streams }) {
    const configFile = join(folder, "workerd.capnp");
    const module = join(folder, "worker.js");
    await makeWorker({ main: edge.main, streams, outfile: module, format: "esm" });
    return (as, secrets, print) => {
      writeFileSync(configFile, workerdConfig(edge, { module, storage, ...as }));
      return runWorkerd(configFile, secrets, print);
    };
  },
};

const node: Runtime = {
  name: "the edge on Node",
  async prepare(edge, { folder, storage, streams }) {
    const settingsFile = join(folder, "node.json");
    const module = join(folder, "worker.cjs");
    await makeWorker({ main: edge.main, streams, outfile: module, format: "cjs" });
    return ({ host, port, vars }, secrets, print) => {
      const settings: RunSettings = {
        module,
        storage,
        host,
        port,
        objects: edge.objects,
        vars: { ...edge.vars, ...vars },
        secrets: [...edge.secrets, ...OPTIONAL_SECRETS],
      };
      writeFileSync(settingsFile, JSON.stringify(settings));
      const running = runOnNode(settingsFile, secrets, print);
      return { ...running, stop: () => running.stop(TIME_LIMITS.workerdDrainMs) };
    };
  },
};

const RUNTIMES: Readonly<Record<string, Runtime>> = { workerd, node };

export const RUNTIME_SETTING = {
  RUNTIME: {
    means:
      "What the edge runs on: workerd, the reference, or node, which takes less of a machine: docs/own-machines.md.",
    default: "workerd",
  },
} as const;

const WORKERD_MISSING = `RUNTIME: the package workerd isn't installed: \`npm install workerd\` beside distributary, or begin with \`npx -p workerd -p distributary distributary\`; \`--runtime node\` needs none`;

export function checkRuntime(name: string): Checked<Runtime> {
  const value = Object.hasOwn(RUNTIMES, name) ? RUNTIMES[name] : undefined;
  if (value === undefined) return { ok: false, problem: `RUNTIME must be workerd or node, not ${name}` };
  if (value === workerd && !hasWorkerd()) return { ok: false, problem: WORKERD_MISSING };
  return { ok: true, value };
}
