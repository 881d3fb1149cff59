/**
 * The edge on Node as edge/runtime/node/main.ts runs it, with a way to take its objects out of memory, which production has not:
 * `node edge-on-node.ts SETTINGS.json`.
 */
import { readFileSync } from "node:fs";
import { openDoor } from "../../edge/runtime/node/http/server.ts";
import type { RunSettings } from "../../edge/runtime/node/run.ts";
import { keepResting, loadWorker } from "../../edge/runtime/node/worker.ts";

process.on("unhandledRejection", (error) => console.error("nobody waits for what failed:", error));

const { module, storage, objects, vars, secrets, host, port } = JSON.parse(
  readFileSync(process.argv[2] ?? "", "utf8"),
) as RunSettings;
const loaded = loadWorker({
  ...{ module, storage, objects },
  env: {
    ...vars,
    ...Object.fromEntries(secrets.map((name) => [name, process.env[name]])),
    EVICT: (name: string) => {
      for (const namespace of loaded.namespaces.values()) namespace.find(name)?.evict();
    },
  },
});
keepResting(loaded);
const door = openDoor(loaded);
door.listen({ host, port });
process.on("SIGTERM", () => {
  door.close(() => process.exit(0));
  door.closeIdleConnections();
});
