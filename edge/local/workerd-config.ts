/**
 * What raw workerd needs, generated from wrangler.toml: that file stays the one configuration of the edge. Pure;
 * the shell reads and writes the files.
 */
import { basename } from "node:path";
import * as v from "valibot";

const Names = v.array(v.string());

/**
 * Keys of wrangler.toml that say how to deploy and mean nothing to workerd. A key that stands in neither list
 * may well be a binding, which must not be missing in silence.
 */
const DEPLOYMENT_ONLY = new Set([
  "$schema",
  "name",
  "rules",
  "build",
  // Without these the Worker counts by itself (edge/http/quotas.ts).
  "ratelimits",
  "observability",
  "limits",
  "placement",
  "route",
  "routes",
  "workers_dev",
  "preview_urls",
  "account_id",
  "minify",
  "upload_source_maps",
]);

const WranglerSchema = v.looseObject({
  main: v.string(),
  compatibility_date: v.pipe(v.string(), v.isoDate()),
  compatibility_flags: v.optional(Names, []),
  vars: v.optional(v.record(v.string(), v.unknown()), {}),
  durable_objects: v.optional(
    v.strictObject({ bindings: v.array(v.strictObject({ name: v.string(), class_name: v.string() })) }),
    { bindings: [] },
  ),
  secrets: v.optional(v.strictObject({ required: Names }), { required: [] }),
  // Renaming and deleting classes would need the same done to the local storage: not understood, so refused.
  migrations: v.optional(v.array(v.strictObject({ tag: v.string(), new_sqlite_classes: Names })), []),
});

export interface EdgeConfig {
  /** The Worker's entry, relative to wrangler.toml. */
  readonly main: string;
  readonly compatibilityDate: string;
  readonly compatibilityFlags: readonly string[];
  readonly vars: Readonly<Record<string, unknown>>;
  /** Names only. */
  readonly secrets: readonly string[];
  readonly objects: readonly ObjectClass[];
}

export interface ObjectClass {
  readonly binding: string;
  readonly className: string;
  /** Whether its objects store anything. */
  readonly stores: boolean;
}

/**
 * Classes whose objects store nothing. Given a disk, workerd opens a database for each object that begins to run all
 * the same, which takes longer than all else that happens then, and keeps three files open.
 */
const STORELESS = new Set(["EndpointObject"]);

/** @throws Error with one line per problem: the file is the project's own, so a bad one is a fault of it. */
export function readEdgeConfig(toml: unknown): EdgeConfig {
  const result = v.safeParse(WranglerSchema, toml);
  const problems = result.success
    ? misunderstood(result.output)
    : result.issues.map((issue) => `${v.getDotPath(issue) ?? "(the file)"}: ${issue.message}`);
  if (!result.success || problems.length > 0) throw new Error(`wrangler.toml: ${problems.join("\n")}`);
  const { main, compatibility_date, compatibility_flags, vars, secrets, durable_objects } = result.output;
  return {
    main,
    compatibilityDate: compatibility_date,
    compatibilityFlags: compatibility_flags,
    vars,
    secrets: secrets.required,
    objects: durable_objects.bindings.map(({ name, class_name }) => ({
      binding: name,
      className: class_name,
      stores: !STORELESS.has(class_name),
    })),
  };
}

function misunderstood(config: v.InferOutput<typeof WranglerSchema>): string[] {
  const problems = Object.keys(config)
    .filter((key) => !(key in WranglerSchema.entries) && !DEPLOYMENT_ONLY.has(key))
    .map((key) => `${key}: not understood by edge/local, which would leave it out`);
  const classes = new Set(config.migrations.flatMap((migration) => migration.new_sqlite_classes));
  for (const { class_name } of config.durable_objects.bindings)
    if (!classes.has(class_name)) problems.push(`migrations: ${class_name} is in no new_sqlite_classes`);
  return problems;
}

export interface WorkerdSettings {
  /** The bundled Worker; it must lie in the folder of the configuration. */
  readonly module: string;
  /** Absolute path of the folder for the objects' databases; it must exist. */
  readonly storage: string;
  readonly host: string;
  readonly port: number;
  /** Win over wrangler.toml's vars of the same name. */
  readonly vars: Readonly<Record<string, string>>;
}

/** All that is fetched are keys of issuers, which may be within; workerd would keep to what is public. */
const INTERNET = `(allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))`;
/** Not in wrangler.toml, where a secret that is named must be set. */
export const OPTIONAL_SECRETS = ["AUTH_ISSUERS"];

/** The Worker, and the objects that store nothing. */
const EDGE = "edge";
/** The same code once more, for the objects that store: storage is chosen for a service, not for a class. */
const STORING = "storing";

/**
 * The text of a configuration for `workerd serve`. Secrets are bindings that workerd takes from its environment,
 * so that none is written to a file.
 */
export function workerdConfig(edge: EdgeConfig, settings: WorkerdSettings): string {
  const storing = edge.objects.filter(({ stores }) => stores);
  const storeless = edge.objects.filter(({ stores }) => !stores);
  const disk = struct({ path: text(settings.storage), writable: "true" });
  const address = `${settings.host.includes(":") ? `[${settings.host}]` : settings.host}:${settings.port}`;
  const other = storing.length === 0 ? [] : [struct({ name: text("STORING"), service: text(STORING) })];
  const inMemory = worker(edge, settings, storeless, struct({ inMemory: "void" }), other);
  const onDisk = worker(edge, settings, storing, struct({ localDisk: text("storage") }), []);
  const config = struct({
    services: list([
      struct({ name: text(EDGE), worker: inMemory }),
      struct({ name: text(STORING), worker: onDisk }),
      struct({ name: text("storage"), disk }),
      struct({ name: text("internet"), network: INTERNET }),
    ]),
    sockets: list([struct({ name: text("http"), address: text(address), http: "()", service: text(EDGE) })]),
  });
  return `using Workerd = import "/workerd/workerd.capnp";\n\nconst config :Workerd.Config = ${config};\n`;
}

/** @param objects Those that run in this service. */
function worker(
  edge: EdgeConfig,
  settings: WorkerdSettings,
  objects: readonly ObjectClass[],
  storage: string,
  moreBindings: readonly string[],
): string {
  const bindings = [
    ...edge.objects.map(({ binding, className, stores }) => {
      const where = { className: text(className), serviceName: text(stores ? STORING : EDGE) };
      return struct({ name: text(binding), durableObjectNamespace: struct(where) });
    }),
    ...Object.entries({ ...edge.vars, ...settings.vars }).map(([name, value]) =>
      struct(
        typeof value === "string"
          ? { name: text(name), text: text(value) }
          : { name: text(name), json: text(JSON.stringify(value)) },
      ),
    ),
    ...[...edge.secrets, ...OPTIONAL_SECRETS].map((name) =>
      struct({ name: text(name), fromEnvironment: text(name) }),
    ),
    ...moreBindings,
  ];
  const classes = new Map(objects.map(({ className, stores }) => [className, stores]));
  return struct({
    modules: list([
      struct({ name: text("worker.js"), esModule: `embed ${text(basename(settings.module))}` }),
    ]),
    compatibilityDate: text(edge.compatibilityDate),
    compatibilityFlags: list(edge.compatibilityFlags.map(text)),
    bindings: list(bindings),
    // The unique key names the class's folder in the storage, so it must never change.
    durableObjectNamespaces: list(
      Array.from(classes, ([name, stores]) =>
        struct({ className: text(name), uniqueKey: text(name), enableSql: String(stores) }),
      ),
    ),
    durableObjectStorage: storage,
  });
}

function struct(fields: Readonly<Record<string, string>>): string {
  return `(${Object.entries(fields)
    .map(([name, value]) => `${name} = ${value}`)
    .join(", ")})`;
}

function list(items: readonly string[]): string {
  return items.length === 0 ? "[]" : `[\n${items.join(",\n")}\n]`;
}

/** A text literal of Cap'n Proto's language. */
function text(value: string): string {
  const escaped = value.replaceAll(/["\\\p{Cc}]/gu, (character) =>
    character === '"' || character === "\\"
      ? `\\${character}`
      : [...new TextEncoder().encode(character)]
          .map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`)
          .join(""),
  );
  return `"${escaped}"`;
}
