/**
 * The command `edge`: the edge on this machine. Prepares what its runtime needs from the Worker and from wrangler.toml, and
 * runs that, in as many processes as it shall be, until this process is asked to stop or loses the one who started it.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "smol-toml";
import { root } from "../../shared/node/installation.ts";
import { readSettings, type Values } from "../../shared/node/settings.ts";
import { accessProblems } from "../access/settings.ts";
import { readUplinkKeys } from "../http/uplink-auth.ts";
import { placesFor } from "./admission.ts";
import { checkPort, checkStreams, reason } from "./checks.ts";
import { holdFolder } from "./folder.ts";
import { openGate } from "./gate.ts";
import { keepRunning } from "./keeping.ts";
import { onStopRequest } from "./lifeline.ts";
import { openFiles } from "./open-files.ts";
import { checkRuntime, checkWorkers } from "./runtimes.ts";
import { command, settingProblems, varsOf } from "./serve-settings.ts";
import { checkStorage, hintAt } from "./storage.ts";
import type { Workerd } from "./workerd.ts";
import { readEdgeConfig } from "./workerd-config.ts";

/** By number. */
const running = new Map<number, Workerd>();
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
  const { HOST: host, UPLINK_KEYS, AUTH_ISSUERS, WEB_ORIGINS, AUTH_COOKIE } = values;
  const folder = resolve(values.DATA_DIR, "edge");
  const streams = resolve(values.STREAMS);
  const port = await checkPort(host, values.PORT);
  const chosen = checkRuntime(values.RUNTIME);
  const workers = checkWorkers(values.WORKERS, values.RUNTIME);
  const checks = [chosen, workers, checkStreams(streams), port, holdFolder(folder)];
  const problems = checks.flatMap((check) => (check.ok ? [] : [check.problem]));
  const keys = readUplinkKeys(UPLINK_KEYS);
  if (!keys.ok) problems.push(keys.problem);
  const access = { AUTH_ISSUERS, WEB_ORIGINS, AUTH_COOKIE };
  problems.push(...(await accessProblems(access)));
  problems.push(...settingProblems(values));
  const perAddress = values.CONNECTIONS_PER_ADDRESS ? Number(values.CONNECTIONS_PER_ADDRESS) : undefined;
  const count = workers.ok ? workers.value : 1;
  if (count > 1 && perAddress !== undefined)
    problems.push(
      "CONNECTIONS_PER_ADDRESS: nothing counts them before several WORKERS: limit them in a proxy",
    );
  if (problems.length > 0 || !chosen.ok || !port.ok) return fail(1, ...problems);

  const files = await openFiles();
  const places = placesFor(files, perAddress);
  if (places === undefined)
    return fail(1, `an edge must be able to open more than ${files} files: see ulimit -n`);

  const runtime = chosen.value;
  const numbers = Array.from({ length: count }, (_, number) => number);
  // The first has the same folder whether it is the only one or not.
  const storages = numbers.map((number) => join(folder, number === 0 ? "objects" : `objects-${number}`));
  let run: Awaited<ReturnType<typeof runtime.prepare>>;
  try {
    for (const storage of storages) mkdirSync(storage, { recursive: true });
    const damaged = storages.flatMap(checkStorage).flatMap((check) => (check.ok ? [] : [check.problem]));
    if (damaged.length > 0) return fail(1, ...damaged);
    const edge = readEdgeConfig(parse(readFileSync(join(root, "wrangler.toml"), "utf8")));
    run = await runtime.prepare(edge, { folder, streams });
  } catch (error) {
    return fail(1, `the edge can't be built: ${reason(error)}`);
  }
  if (stopping) return;
  let hinted = false;
  const print = (line: string) => {
    process.stderr.write(`${line}\n`);
    const hint = hinted ? undefined : hintAt(line, storages.join(" or "));
    if (hint === undefined) return;
    hinted = true;
    process.stderr.write(`${hint}\n`);
  };
  let gate: Promise<unknown> | undefined;
  let inner: number | undefined;
  const listening = new Set<number>();
  const keep = async (number: number): Promise<void> => {
    const name = count === 1 ? runtime.name : `${runtime.name}, worker ${number}`;
    const how = await keepRunning({
      name,
      isGated: perAddress !== undefined,
      isOneOfSeveral: count > 1,
      run: async (isGated, hear) => {
        inner = undefined;
        if (isGated) gate ??= openGate({ host, port: port.value, places, to: () => inner });
        await gate;
        const as = {
          // Behind the gate only this process knows where it listens.
          host: isGated ? "127.0.0.1" : host,
          port: isGated ? 0 : port.value,
          storage: storages[number] ?? "",
          vars: varsOf(values, isGated),
          ...(count > 1 && { worker: { number, count } }),
        };
        const begun = await run(as, { UPLINK_KEYS, AUTH_ISSUERS }, (line) => {
          hear(line);
          print(line);
        });
        running.set(number, begun);
        void begun.listening.then((listensOn) => {
          inner = listensOn;
          listening.add(number);
          if (listening.size < count) return;
          process.stdout.write(`the edge listens on ${host}, port ${port.value}\n`);
          process.send?.("listening");
        });
        return begun;
      },
      isStopping: () => stopping,
      tell: (line) => process.stderr.write(`${line}\n`),
      now: () => performance.now(),
    }).catch((error) => `can't be run: ${reason(error)}`);
    if (!stopping) fail(1, `${name} ${how}`);
  };
  await Promise.all(numbers.map(keep));
}

async function stop(): Promise<void> {
  stopping = true;
  await Promise.all(Array.from(running.values(), (one) => one.stop()));
  process.exit(0);
}

function fail(code: 1 | 2, ...problems: readonly string[]): void {
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  process.exit(code);
}
