/**
 * Takes a partition from whoever wrote it before: InitProducerId with the partition's transactional id, then one empty
 * committed transaction over the partition. Its mark raises the producer's epoch where the partition is led, also where
 * that never saw the id, and nothing of an older epoch is appended behind it. The coordinator answers before marks are
 * written, and skips partitions that it doesn't know: *a partition is fenced once its mark is read.*
 */
import { SinkError } from "../publish/sink.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { UnsupportedError } from "./apis.ts";
import type { Cluster } from "./cluster.ts";
import { kafkaError } from "./patience.ts";
import {
  addPartitionToTxnRequest,
  commitTxnRequest,
  describeTransactionRequest,
  findCoordinatorRequest,
  initProducerIdRequest,
  type ProducerIdentity,
  WRITE_ERROR,
  type WriterIdentity,
} from "./produce-requests.ts";

export interface Fenced {
  readonly id: string;
  readonly topic: string;
  readonly partition: number;
}

/** What transactional ids are made of: those that begin with the same are of origins that publish to the same topics. */
export class WriterIds {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Of whoever writes a partition. */
  ofPartition(topicId: Buffer, partition: number): string {
    return `${this.#prefix}.${idText(topicId)}.${partition}`;
  }

  /** Nobody writes with it. */
  ofCount(topicId: Buffer, partitions: number): string {
    return `${this.#prefix}.${idText(topicId)}.of.${partitions}`;
  }
}

/** As Kafka shows it. */
const idText = (topicId: Buffer) => topicId.toString("base64url");

type Coordinators = Pick<Cluster, "send">;

/** Another has taken it over, or may have: Kafka forgot the id, and whoever comes next gets it as another producer. */
const LOST: readonly number[] = [
  WRITE_ERROR.invalidProducerEpoch,
  WRITE_ERROR.invalidProducerIdMapping,
  WRITE_ERROR.producerFenced,
];
const FORBIDDEN: readonly number[] = [
  WRITE_ERROR.topicAuthorizationFailed,
  WRITE_ERROR.clusterAuthorizationFailed,
  WRITE_ERROR.transactionalIdAuthorizationFailed,
];

/** Whether somebody has taken this id. Rejects with SinkError, or with what may pass. @param any Some broker that is known. */
export async function isTaken(cluster: Coordinators, any: number, id: string): Promise<boolean> {
  const coordinator = await coordinatorOf(cluster, any, id);
  const { error } = await cluster.send(coordinator, describeTransactionRequest(id));
  if (error === WRITE_ERROR.transactionalIdNotFound) return false;
  check(error, `what is known of ${id}`);
  return true;
}

/** Rejects with SinkError, with UnsupportedError, or with what may pass. @param any Some broker that is known. */
export async function takeId(cluster: Coordinators, any: number, id: string): Promise<WriterIdentity> {
  const coordinator = await coordinatorOf(cluster, any, id);
  const request = initProducerIdRequest(id, TIME_LIMITS.publishTransactionMs);
  const { error, producerId, producerEpoch } = await cluster.send(coordinator, request);
  check(error, `the producer id of ${id}`);
  if (typeof producerId === "bigint")
    throw new UnsupportedError(`no fences by transactions: a producer has the id ${producerId}`);
  return { producerId, producerEpoch };
}

/** The same. May be repeated, with the same identity. */
export async function markPartition(
  cluster: Coordinators,
  any: number,
  { id, topic, partition }: Fenced,
  identity: ProducerIdentity,
): Promise<void> {
  const coordinator = await coordinatorOf(cluster, any, id);
  const added = addPartitionToTxnRequest(id, identity, topic, partition);
  check(await cluster.send(coordinator, added), `a transaction of ${id}`);
  check(await cluster.send(coordinator, commitTxnRequest(id, identity)), `the end of a transaction of ${id}`);
}

async function coordinatorOf(cluster: Coordinators, any: number, id: string): Promise<number> {
  const { error, node } = await cluster.send(any, findCoordinatorRequest(id));
  check(error, `the coordinator of ${id}`);
  return node;
}

function check(error: number, what: string): void {
  if (error === WRITE_ERROR.none) return;
  if (LOST.includes(error)) throw new SinkError("fenced", "another origin has taken the partition over");
  if (FORBIDDEN.includes(error))
    throw new SinkError("forbidden", `${what}: Kafka doesn't allow it (error ${error})`);
  if (error === WRITE_ERROR.unsupportedVersion)
    throw new UnsupportedError(`${what}: there are no transactions`);
  throw kafkaError(what, error);
}
