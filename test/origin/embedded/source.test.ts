import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EmbeddedLog } from "../../../origin/embedded/log.ts";
import { EmbeddedSource } from "../../../origin/embedded/source.ts";
import { type ContractLog, describeSourceContract } from "../../support/source-contract.ts";

/** The source and its producers share one log object, or have one each as two processes do. */
function setup(writer: "same" | "other"): () => Promise<ContractLog> {
  return async () => {
    const folder = mkdtempSync(join(tmpdir(), "embedded-"));
    const path = join(folder, "log.sqlite");
    const read = new EmbeddedLog(path);
    const write = writer === "same" ? read : new EmbeddedLog(path);
    const source = new EmbeddedSource(read);
    return {
      source,
      largestValueBytes: 3 * 1024 * 1024,
      createTopic: async (topic, partitions) => void write.createTopic(topic, { partitions }),
      deleteTopic: async (topic) => void write.deleteTopic(topic),
      produce: async (topic, records) => write.append(topic, records).map(({ offset }) => offset),
      trim: async (topic, partition, beforeOffset) => write.trim(topic, partition, beforeOffset),
      close: async () => {
        await source.close();
        read.close();
        write.close();
        rmSync(folder, { recursive: true });
      },
    };
  };
}

describeSourceContract("the embedded log, written by this process,", setup("same"));
describeSourceContract("the embedded log, written by another,", setup("other"));
