/**
 * The process of the edge on Node, as run.ts starts it: `node main.ts SETTINGS.json`, with an IPC channel. Secrets come in its
 * environment, so that none is written to a file.
 */
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { openDoor } from "./http/server.ts";
import type { RunSettings } from "./run.ts";
import { keepResting, loadWorker } from "./worker.ts";

process.on("disconnect", () => process.exit(0));
process.on("unhandledRejection", (error) => console.error("nobody waits for what failed:", error));

const settings = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as RunSettings;
const secrets = settings.secrets.map((name) => [name, process.env[name]] as const);
const loaded = loadWorker({
  module: settings.module,
  storage: settings.storage,
  objects: settings.objects,
  env: { ...settings.vars, ...Object.fromEntries(secrets.filter(([, secret]) => secret !== undefined)) },
});

const door = openDoor(loaded);
keepResting(loaded);
// As long as a WebSocket is open it goes on, until whoever asked ends it.
process.on("SIGTERM", () => {
  door.close(() => process.exit(0));
  door.closeIdleConnections();
});
door.listen({ host: settings.host, port: settings.port }, () =>
  process.send?.({ port: (door.address() as AddressInfo).port }),
);
