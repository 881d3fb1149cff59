import { expect, test } from "vitest";
import { markPartition } from "../../../origin/kafka/fence.ts";
import { WRITE_ERROR } from "../../../origin/kafka/produce-requests.ts";
import type { Request } from "../../../origin/kafka/request.ts";

const FENCED = { id: "id", topic: "t", partition: 0 };
const IDENTITY = { producerId: 7, producerEpoch: 3 };

/** A coordinator that answers AddPartitionsToTxn and EndTxn with these errors. */
function coordinator(adding: number, ending: number) {
  const answers: Readonly<Record<string, unknown>> = {
    FindCoordinator: { error: WRITE_ERROR.none, node: 1 },
    AddPartitionsToTxn: adding,
    EndTxn: ending,
  };
  return { send: async <T>(_: number, { name }: Request<T>) => answers[name] as T };
}

test.each([
  ["an older epoch", WRITE_ERROR.invalidProducerEpoch],
  ["a fenced producer", WRITE_ERROR.producerFenced],
  ["an id that Kafka forgot, or gave to another producer", WRITE_ERROR.invalidProducerIdMapping],
])("a partition whose coordinator tells of %s is lost to whoever marks it", async (_, error) => {
  for (const cluster of [coordinator(error, WRITE_ERROR.none), coordinator(WRITE_ERROR.none, error)])
    await expect(markPartition(cluster, 0, FENCED, IDENTITY)).rejects.toMatchObject({
      name: "SinkError",
      code: "fenced",
    });
});

test("what may pass does not end a claim", async () => {
  const marking = markPartition(coordinator(WRITE_ERROR.notCoordinator, 0), 0, FENCED, IDENTITY);

  await expect(marking).rejects.toMatchObject({ name: "SourceError", code: "unavailable" });
});
