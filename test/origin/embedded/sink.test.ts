import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EmbeddedLog } from "../../../origin/embedded/log.ts";
import { EmbeddedSink } from "../../../origin/embedded/sink.ts";
import { EmbeddedSource } from "../../../origin/embedded/source.ts";
import { describeSinkContract } from "../../support/sink-contract.ts";

/** Each sink has a log object of its own, as another process has. */
describeSinkContract("the embedded log", async () => {
  const folder = mkdtempSync(join(tmpdir(), "embedded-"));
  const path = join(folder, "log.sqlite");
  const log = new EmbeddedLog(path);
  const source = new EmbeddedSource(log);
  const logs: EmbeddedLog[] = [];
  return {
    open: () => {
      const own = new EmbeddedLog(path);
      logs.push(own);
      return new EmbeddedSink(own);
    },
    source,
    tooLargeBytes: 2 * 1024 * 1024,
    createTopic: async (topic, partitions) => void log.createTopic(topic, { partitions }),
    deleteTopic: async (topic) => void log.deleteTopic(topic),
    close: async () => {
      await source.close();
      for (const one of [log, ...logs]) one.close();
      rmSync(folder, { recursive: true });
    },
  };
});
