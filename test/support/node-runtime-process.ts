/** The runtime on Node as a process, with hooks that production has not: objects can be taken out of memory. */
import type { AddressInfo } from "node:net";
import { setTimeout } from "node:timers/promises";
import { openDoor } from "../../edge/runtime/node/http/server.ts";
import { keepResting, loadWorker, type WorkerSettings } from "../../edge/runtime/node/worker.ts";

const LOOK_MS = 5;

export interface Eviction {
  readonly number: number;
  readonly className: string;
  readonly name: string;
  readonly webSockets: "hibernate" | "close";
}

process.on("disconnect", () => process.exit(0));
process.on("unhandledRejection", (error) => console.error("nobody waits for what failed:", error));

const loaded = loadWorker(JSON.parse(process.argv[2] ?? "") as WorkerSettings);
process.on("message", async ({ number, className, name, webSockets }: Eviction) => {
  const actor = loaded.namespaces.get(className)?.find(name);
  if (webSockets === "close") actor?.abort(new Error("ended by a test"));
  // As on workerd: not before nothing keeps it awake.
  else while (actor?.rest(Number.POSITIVE_INFINITY) === false) await setTimeout(LOOK_MS);
  process.send?.({ number });
});
keepResting(loaded);
const door = openDoor(loaded);
door.listen({ host: "127.0.0.1", port: 0 }, () =>
  process.send?.({ port: (door.address() as AddressInfo).port }),
);
