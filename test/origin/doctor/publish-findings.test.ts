import { expect, test } from "vitest";
import { transactionFinding, writeFindings } from "../../../origin/doctor/publish-findings.ts";
import { WRITE_ERROR } from "../../../origin/kafka/produce-requests.ts";

const [READ, WRITE, DESCRIBE_CONFIGS] = [1 << 3, 1 << 4, 1 << 10];

test.each([
  [READ | WRITE | DESCRIBE_CONFIGS, "ok", undefined],
  [READ | DESCRIBE_CONFIGS, "wrong", /grant it WRITE on the topic/],
  [READ | WRITE, "hint", /DESCRIBE_CONFIGS/],
  [-(2 ** 31), "hint", /WRITE/],
  [undefined, "hint", /WRITE/],
])("with the operations %s a topic that is published to is %s", (operations, verdict, todo) => {
  const [finding, ...more] = writeFindings("t", operations);

  expect([finding?.verdict, more]).toEqual([verdict, []]);
  if (todo !== undefined) expect(finding?.todo).toMatch(todo);
});

test.each([
  [WRITE_ERROR.transactionalIdAuthorizationFailed, "wrong", /transactional ids with the prefix p/],
  [WRITE_ERROR.invalidProducerIdMapping, "ok", undefined],
  [WRITE_ERROR.notCoordinator, "ok", undefined],
  [undefined, "hint", /a Kafka that has them/],
])("a broker that answers %s to a transaction's end: %s", (error, verdict, todo) => {
  const finding = transactionFinding("p", error);

  expect(finding.verdict).toBe(verdict);
  if (todo !== undefined) expect(finding.todo).toMatch(todo);
});
