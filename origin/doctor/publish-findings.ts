/** What Kafka's answers mean for publishing. Pure. */
import { WRITE_ERROR } from "../kafka/produce-requests.ts";
import { type Finding, hint, ok, wrong } from "./finding.ts";

/** As Kafka numbers operations: each is a bit. */
const WRITE = 1 << 4;
const DESCRIBE_CONFIGS = 1 << 10;
/** The broker doesn't tell them. */
const UNTOLD = -(2 ** 31);

/** What this account may do to a topic that is to be published to. @param operations As the topic's description has them. */
export function writeFindings(topic: string, operations: number | undefined): Finding[] {
  const what = `topic ${topic}`;
  if (operations === undefined || operations === UNTOLD)
    return [
      hint(what, "the broker doesn't tell whether it may be written", "see that WRITE is granted on it"),
    ];
  if ((operations & WRITE) === 0)
    return [
      wrong(
        what,
        "this account may not write it, so nothing can be published",
        "grant it WRITE on the topic",
      ),
    ];
  if ((operations & DESCRIBE_CONFIGS) === 0)
    return [
      hint(
        what,
        "how long it keeps records can't be seen, so publishes with an Idempotency-Key are refused there (id_not_kept)",
        "grant it DESCRIBE_CONFIGS on the topic",
      ),
    ];
  return [ok(what, "can be written")];
}

/**
 * Whether the transactional ids of writers may be used.
 * @param error What a broker says to the end of a transaction that nobody began; undefined if it knows of none.
 */
export function transactionFinding(publishId: string, error: number | undefined): Finding {
  const what = "PUBLISH_ID";
  if (error === undefined)
    return hint(
      what,
      "Kafka has no transactions, so that a publish may become several records (at-least-once), and keys of clients are refused",
      "publish to a Kafka that has them, or live with that",
    );
  if (error === WRITE_ERROR.transactionalIdAuthorizationFailed)
    return wrong(
      what,
      `this account may not use transactional ids that begin with ${publishId}, so nothing can be published`,
      `grant it WRITE on transactional ids with the prefix ${publishId} (IDEMPOTENT_WRITE isn't needed)`,
    );
  return ok(what, `transactional ids that begin with ${publishId} may be used`);
}
