/**
 * `npm run edge`: the edge on this machine. Bundles page and Worker, generates workerd's configuration from
 * wrangler.toml, and runs workerd until this process is asked to stop or loses the one who started it.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "smol-toml";
import { readSettings, type Values } from "../../shared/node/settings.ts";
import { accessProblems } from "../access/settings.ts";
import { CONNECTION_SETTINGS, connectionLimits } from "../endpoint/connection-limits.ts";
import { isLoopback, readHosts } from "../http/browsers.ts";
import { PUBLISH_SETTING, publishMaxBytes } from "../http/publish-request.ts";
import { readUplinkKeys } from "../http/uplink-auth.ts";
import { bundlePage, bundleWorker } from "./bundle.ts";
import { checkPort, checkStreams, reason } from "./checks.ts";
import { holdFolder } from "./folder.ts";
import { onStopRequest } from "./lifeline.ts";
import { checkStorage, hintAt } from "./storage.ts";
import { runWorkerd, type Workerd } from "./workerd.ts";
import { readEdgeConfig, workerdConfig } from "./workerd-config.ts";

const root = join(import.meta.dirname, "../..");

const command = {
  usage: "npm run edge -- [flags]",
  does: "Runs the edge on this machine, on workerd.",
  settings: {
    PORT: { means: "Where to listen.", default: "8787" },
    HOST: { means: "The address to listen on.", default: "127.0.0.1" },
    DATA_DIR: { means: "Folder whose subfolder `edge` holds what the objects store.", default: "data" },
    STREAMS: { means: "The list of what is exposed.", default: join(root, "streams.json") },
    UPLINK_KEYS: {
      means:
        "Keys of origins: kid:name:secret[,kid:name:secret…], each with its origin's name and a secret of 32 bytes or more. Required.",
      secret: true,
    },
    AUTH_ISSUERS: {
      means: "Who may issue tokens: a JSON list, see docs/access.md. Without it there are no tokens.",
      secret: true,
    },
    WEB_ORIGINS: {
      means:
        "Origins of web pages that are answered, as https://app.example.com, with commas between. Unset: all, without cookies.",
    },
    AUTH_COOKIE: { means: "The name of a cookie that may hold a token." },
    HOSTS: {
      means:
        "Names that requests may be for beside localhost, with commas between, as edge.example.com. Unset, on a loopback address: none; else all.",
    },
    DETAILS: {
      means:
        "on: everybody who reaches the edge is told names of origins; off: a token with admin is. Default: on if only this machine does.",
    },
    ...CONNECTION_SETTINGS,
    ...PUBLISH_SETTING,
    // One process has the machine's memory.
    UNSENT_MEGABYTES: { ...CONNECTION_SETTINGS.UNSENT_MEGABYTES, default: "512" },
    OPERATIONS: {
      means: "on: /$/operations tells what the platform would bill, to whom DETAILS says.",
      default: "off",
    },
  },
  switches: {},
} as const;

let workerd: Workerd | undefined;
let stopping = false;

const given = readSettings(command, process.env, process.argv.slice(2));
switch (given.kind) {
  case "help":
    process.stdout.write(given.text);
    break;
  case "misused":
    fail(2, given.problem);
    break;
  case "given":
    onStopRequest(stop);
    await serve(given.values);
}

async function serve(values: Values<typeof command>): Promise<void> {
  const { HOST: host, UPLINK_KEYS, AUTH_ISSUERS, WEB_ORIGINS, AUTH_COOKIE, HOSTS, OPERATIONS } = values;
  const folder = resolve(values.DATA_DIR, "edge");
  const streams = resolve(values.STREAMS);
  const port = await checkPort(host, values.PORT);
  const checks = [checkStreams(streams), port, holdFolder(folder)];
  const problems = checks.flatMap((check) => (check.ok ? [] : [check.problem]));
  const keys = readUplinkKeys(UPLINK_KEYS);
  if (!keys.ok) problems.push(keys.problem);
  const access = { AUTH_ISSUERS, WEB_ORIGINS, AUTH_COOKIE };
  problems.push(...(await accessProblems(access)));
  const limits = Object.fromEntries(
    Object.keys(CONNECTION_SETTINGS).map((name) => [name, values[name as keyof typeof CONNECTION_SETTINGS]]),
  );
  try {
    readHosts(HOSTS);
    connectionLimits(limits);
    publishMaxBytes(values);
  } catch (error) {
    problems.push(reason(error));
  }
  if (problems.length > 0 || !port.ok) return fail(1, ...problems);

  const loopback = isLoopback(host.includes(":") ? `[${host}]` : host);
  const configFile = join(folder, "workerd.capnp");
  const storage = join(folder, "objects");
  try {
    mkdirSync(storage, { recursive: true });
    const damaged = checkStorage(storage).flatMap((check) => (check.ok ? [] : [check.problem]));
    if (damaged.length > 0) return fail(1, ...damaged);
    const edge = readEdgeConfig(parse(readFileSync(join(root, "wrangler.toml"), "utf8")));
    const module = join(folder, "worker.js");
    await bundlePage(root);
    await bundleWorker({ root, main: edge.main, streams, outfile: module });
    writeFileSync(
      configFile,
      workerdConfig(edge, {
        module,
        storage,
        host,
        port: port.value,
        vars: {
          ...limits,
          PUBLISH_MAX_BYTES: values.PUBLISH_MAX_BYTES,
          OPERATIONS,
          LOOPBACK: loopback ? "on" : "off",
          // With names of its own something else passes on to it what strangers ask.
          DETAILS: values.DETAILS || (loopback && !HOSTS ? "on" : "off"),
          ...(HOSTS && { HOSTS }),
          ...(WEB_ORIGINS && { WEB_ORIGINS }),
          ...(AUTH_COOKIE && { AUTH_COOKIE }),
        },
      }),
    );
  } catch (error) {
    return fail(1, `the edge can't be built: ${reason(error)}`);
  }
  if (stopping) return;
  let hinted = false;
  workerd = runWorkerd(configFile, { UPLINK_KEYS, AUTH_ISSUERS }, (line) => {
    process.stderr.write(`${line}\n`);
    const hint = hinted ? undefined : hintAt(line, storage);
    if (hint === undefined) return;
    hinted = true;
    process.stderr.write(`${hint}\n`);
  });
  void workerd.listening.then(() => {
    process.stdout.write(`the edge listens on ${host}, port ${port.value}\n`);
    process.send?.("listening");
  });
  const how = await workerd.ended;
  if (!stopping) fail(1, `workerd ${how}`);
}

async function stop(): Promise<void> {
  stopping = true;
  await workerd?.stop();
  process.exit(0);
}

function fail(code: 1 | 2, ...problems: readonly string[]): void {
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  process.exit(code);
}
