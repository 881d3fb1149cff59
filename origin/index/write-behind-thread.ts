/** The thread of write-behind.ts: a connection of its own to the index's file, which only writes back. */
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { CLOSED, FINISHING, type WriteBehindData } from "./write-behind.ts";

const { path, shared }: WriteBehindData = workerData;
const db = new DatabaseSync(path);
// As far as it gets without holding up a commit. If the disk is full commits fail, too, and say so.
const write = db.prepare("PRAGMA wal_checkpoint(PASSIVE)");

/** So many can be finished soon; how often it is tried to get there. */
const FEW_PAGES = 256;
const TURNS = 4;

parentPort?.on("message", (told: "write" | "close") => {
  if (told === "write") {
    try {
      // What comes meanwhile is less each time, if the disk keeps up.
      let before = 0;
      for (let turn = 0; turn < TURNS; turn++) {
        const written = Number(write.get()?.checkpointed);
        if (Math.abs(written - before) < FEW_PAGES) break;
        before = written;
      }
      Atomics.store(shared, FINISHING, 1);
      write.get();
    } catch {}
    Atomics.store(shared, FINISHING, 0);
    parentPort?.postMessage("written");
    return;
  }
  db.close();
  Atomics.store(shared, CLOSED, 1);
  Atomics.notify(shared, CLOSED);
});
