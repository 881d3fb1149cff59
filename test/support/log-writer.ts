/**
 * A process that writes to an embedded log: `log-writer.ts PATH NAME BATCHES BATCH_SIZE`. Appends batches of
 * records with the key NAME and the values 0, 1, 2, …; after each batch says on stdout at which offsets it is,
 * one line of JSON. Begins when it is told so on stdin, so that several begin at once.
 */
import { once } from "node:events";
import { EmbeddedLog } from "../../origin/embedded/log.ts";

const [path = "", name = "", batches = "", batchSize = ""] = process.argv.slice(2);
process.stdout.write('"ready"\n');
await once(process.stdin, "data");

const log = new EmbeddedLog(path);
log.createTopic("t", { partitions: 1 });
let next = 0;
for (let batch = 0; batch < Number(batches); batch++) {
  const records = Array.from({ length: Number(batchSize) }, () => ({
    key: Buffer.from(name),
    value: Buffer.from(String(next++)),
  }));
  const offsets = log.append("t", records).map(({ offset }) => offset);
  process.stdout.write(`${JSON.stringify(offsets)}\n`);
}
log.close();
process.exit();
