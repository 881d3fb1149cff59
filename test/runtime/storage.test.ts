/** One folder, two runtimes: what one has stored the other finds, and does no harm to. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkStorage } from "../../edge/local/storage.ts";
import { startOn, startRawWorkerd } from "../support/runtimes.ts";
import { Probing } from "./client.ts";

test("what an object stored on workerd it finds on Node, and the other way round", async () => {
  const storage = mkdtempSync(join(tmpdir(), "stored-"));
  const probe = { main: join(import.meta.dirname, "probe/worker.ts"), objects: { PROBE: "Probe" }, storage };
  try {
    for (const [start, value] of [
      [startRawWorkerd, "of workerd"],
      [() => startOn("node", probe), "of Node"],
      [startRawWorkerd, "of workerd again"],
    ] as const) {
      const started = await start(probe);
      await new Probing(started).call("moves", "write", value);
      await started.close();
    }

    const last = await startOn("node", probe);
    expect(await new Probing(last).call("moves", "stored")).toEqual([
      "of workerd",
      "of Node",
      "of workerd again",
    ]);
    await last.close();
    expect(checkStorage(storage).filter(({ ok }) => !ok)).toEqual([]);
  } finally {
    rmSync(storage, { recursive: true });
  }
});
