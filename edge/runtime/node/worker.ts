/** The Worker and the classes of its objects, from the bundle that the launcher makes: a function of what the platform has. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { compileFunction } from "node:vm";
import { PLATFORM } from "./globals.ts";
import type { ObjectClass } from "./objects/actor.ts";
import { collector } from "./objects/collect.ts";
import { Namespace } from "./objects/namespace.ts";
import { DurableObject } from "./objects/state.ts";
import { refuse } from "./refused.ts";
import { TIME_LIMITS } from "./time-limits.ts";
import type { Request } from "./web/request.ts";
import type { Response } from "./web/response.ts";

export interface Worker {
  fetch(request: Request, env: unknown, context: Context): Promise<Response> | Response;
}

/** Of one request: as much of the platform's ExecutionContext as is used. */
export class Context {
  waitUntil(work: Promise<unknown>): void {
    work.catch((error: unknown) => console.error("waitUntil:", error));
  }
}

refuse(Context.prototype, "ExecutionContext", [
  ..."abort access cache exports mapVirtualHost passThroughOnException props tracing".split(" "),
]);

export interface WorkerSettings {
  /** The bundle. */
  readonly module: string;
  /** Absolute path of the folder for the objects' databases. */
  readonly storage: string;
  readonly objects: readonly {
    readonly binding: string;
    readonly className: string;
    readonly stores: boolean;
  }[];
  /** What the Worker finds in its environment besides. */
  readonly env: Readonly<Record<string, unknown>>;
}

export interface Loaded {
  readonly worker: Worker;
  readonly env: Readonly<Record<string, unknown>>;
  /** By class. */
  readonly namespaces: ReadonlyMap<string, Namespace>;
}

/** @throws Error if the bundle lacks a class, or fails when it is loaded */
export function loadWorker({ module, storage, objects, env: given }: WorkerSettings): Loaded {
  const exported = run(module);
  const env: Record<string, unknown> = { ...given };
  const namespaces = new Map<string, Namespace>();
  for (const { binding, className, stores } of objects) {
    const construct = exported[className] as ObjectClass["construct"] | undefined;
    if (construct === undefined) throw new Error(`${module} has no class ${className}`);
    if (stores) mkdirSync(join(storage, className), { recursive: true });
    const namespace = new Namespace({ className, construct, folder: stores ? storage : undefined }, env);
    env[binding] = namespace;
    namespaces.set(className, namespace);
  }
  return { worker: exported.default as Worker, env, namespaces };
}

/** Takes objects out of memory that nothing keeps awake, from now on. */
export function keepResting({ namespaces }: Loaded): void {
  const collect = collector([...namespaces.values()]);
  setInterval(() => {
    for (const namespace of namespaces.values()) namespace.rest();
    collect(performance.now());
  }, TIME_LIMITS.idleLookMs).unref();
}

function run(file: string): Readonly<Record<string, unknown>> {
  const module = { exports: {} as Readonly<Record<string, unknown>> };
  const own = { module, require: requireModule };
  const scope = { ...PLATFORM, ...own };
  const code = compileFunction(readFileSync(file, "utf8"), Object.keys(scope), { filename: file });
  code(...Object.values(scope));
  return module.exports;
}

function requireModule(name: string): unknown {
  if (name === "cloudflare:workers") return { DurableObject };
  throw new Error(`${name} isn't served by the runtime on Node`);
}
