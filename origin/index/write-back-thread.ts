/** The thread of write-back.ts: a connection of its own to the index's file, which only writes back. */
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import type { WriteBackData } from "./write-back.ts";

const { path, closed }: WriteBackData = workerData;
const db = new DatabaseSync(path);
// As far as it gets without holding up a commit. Where the disk is full commits fail, too, and say so.
const write = db.prepare("PRAGMA wal_checkpoint(PASSIVE)");

parentPort?.on("message", (told: "write" | "close") => {
  if (told === "write") {
    try {
      write.get();
    } catch {}
    parentPort?.postMessage("written");
    return;
  }
  db.close();
  Atomics.store(closed, 0, 1);
  Atomics.notify(closed, 0);
});
