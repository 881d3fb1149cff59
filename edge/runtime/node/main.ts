/**
 * The process of the edge on Node, as run.ts starts it: `node main.ts SETTINGS.json`, with an IPC channel. Secrets come in its
 * environment, so that none is written to a file.
 */
import { readFileSync } from "node:fs";
import type { AddressInfo, Socket } from "node:net";
import { BACKLOG } from "./backlog.ts";
import { askWorker, openDoor } from "./http/server.ts";
import type { RunSettings } from "./run.ts";
import type { Accepted, Listening, Passed } from "./siblings/passed.ts";
import { Siblings } from "./siblings/siblings.ts";
import { keepResting, type Loaded, loadWorker } from "./worker.ts";

process.on("disconnect", () => process.exit(0));
process.on("unhandledRejection", (error) => console.error("nobody waits for what failed:", error));

const { module, storage, objects, vars, secrets, host, port, place } = JSON.parse(
  readFileSync(process.argv[2] ?? "", "utf8"),
) as RunSettings;
const named = secrets.map((name) => [name, process.env[name]] as const);
const siblings =
  place &&
  new Siblings(place, {
    send: (message, connection) => void process.send?.(message, connection, {}, () => {}),
    answer: (request) => askWorker(asked, request),
    connect: (connection) => inner.emit("connection", connection),
  });
const loaded = loadWorker({
  ...{ module, storage, objects },
  env: {
    ...vars,
    ...Object.fromEntries(named.filter(([, secret]) => secret !== undefined)),
    ...(siblings && { SIBLINGS: siblings.binding }),
  },
});
/** The same, for what other edges ask and pass on. */
const asked: Loaded = { ...loaded, env: { ...loaded.env, SIBLINGS: siblings?.askedBinding } };

const door = openDoor(loaded, siblings);
/** Listens nowhere. */
const inner = openDoor(asked);
keepResting(loaded);
const tell = (port: number) => process.send?.({ kind: "listening", port } satisfies Listening);
process.on("message", (message, handle) => {
  const said = message as Passed | Accepted;
  const connection = handle as Socket | undefined;
  if (connection !== undefined) connection.allowHalfOpen = true;
  if (said.kind !== "accepted") siblings?.hear(said, connection);
  else if (connection !== undefined) door.emit("connection", connection.setNoDelay());
});
// As long as a WebSocket is open it goes on, until whoever asked ends it.
process.on("SIGTERM", () => {
  door.close(() => process.exit(0));
  door.closeIdleConnections();
});
if (place?.sharesPort === false) {
  // Without it, connections that are accepted elsewhere may take for ever to say what they want.
  door.emit("listening");
  tell(port);
} else
  door.listen({ host, port, backlog: BACKLOG, ...(place && { reusePort: true }) }, () =>
    tell((door.address() as AddressInfo).port),
  );
