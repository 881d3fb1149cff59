/**
 * What kafkajs can't ask of a broker: the password of an account, how much it may take, and that another broker is gone for
 * good. By Kafka's protocol itself.
 */
import { pbkdf2Sync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { eventually } from "./deadline.ts";

const ALTER_CLIENT_QUOTAS = 49;
const ALTER_USER_SCRAM_CREDENTIALS = 51;
const UNREGISTER_BROKER = 64;
/** The least that Kafka allows. */
const ITERATIONS = 4_096;
/** As Kafka numbers them. */
const SCRAM = [
  { mechanism: 1, digest: "sha256", bytes: 32 },
  { mechanism: 2, digest: "sha512", bytes: 64 },
] as const;
const ANSWER_MS = 10_000;
/** For brokers on a machine that has much else to do. */
const DONE_MS = 60_000;

/**
 * Of SCRAM-SHA-256 and SCRAM-SHA-512 both.
 * @param brokers `host:port`, where nobody need say who they are; one of them must be there.
 */
export async function setPassword(
  brokers: readonly string[],
  account: string,
  password: string,
): Promise<void> {
  // Tagged fields, throttle time, the length of the list, the account, and then the code.
  const codeAt = 1 + 4 + 1 + 1 + Buffer.byteLength(account);
  // One request can't change two of one account.
  for (const { mechanism, digest, bytes } of SCRAM) {
    const salt = randomBytes(bytes);
    const salted = pbkdf2Sync(password, salt, ITERATIONS, bytes, digest);
    const change = [
      compact(Buffer.from(account)),
      Buffer.from([mechanism]),
      int32(ITERATIONS),
      compact(salt),
      compact(salted),
      NONE,
    ];
    await ask(
      brokers,
      // A flexible version: its header ends with tagged fields, of which there are none.
      Buffer.concat([header(ALTER_USER_SCRAM_CREDENTIALS), NONE]),
      // No deletions, one change.
      Buffer.concat([Buffer.from([1, 2]), ...change, NONE]),
      codeAt,
    );
  }
}

/** What these clients may take from each broker, by Kafka's names; undefined for no limit. */
export async function setQuotas(
  brokers: readonly string[],
  clientIds: readonly string[],
  quotas: Readonly<Record<string, number | undefined>>,
): Promise<void> {
  const operations = Object.entries(quotas).map(([name, value]) => {
    const operation = Buffer.alloc(9);
    operation.writeDoubleBE(value ?? 0);
    operation.writeUInt8(value === undefined ? 1 : 0, 8);
    return Buffer.concat([text(name), operation]);
  });
  const entries = clientIds.flatMap((clientId) => [
    // Of one part.
    ...[int32(1), text("client-id"), text(clientId)],
    ...[int32(operations.length), ...operations],
  ]);
  // Not only to be looked at.
  const body = Buffer.concat([int32(clientIds.length), ...entries, NONE]);
  // Throttle time, the length of the list, and then the code of the first.
  await ask(brokers, header(ALTER_CLIENT_QUOTAS), body, 4 + 4);
}

/** The cluster forgets a broker that was shut down. */
export async function unregister(brokers: readonly string[], id: number): Promise<void> {
  // Tagged fields, throttle time, and then the code.
  const codeAt = 1 + 4;
  // A flexible version, as above.
  await ask(
    brokers,
    Buffer.concat([header(UNREGISTER_BROKER), NONE]),
    Buffer.concat([int32(id), NONE]),
    codeAt,
  );
}

const NONE = Buffer.from([0]);

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

const text = (value: string) => Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)]);
/** Of less than 127 bytes. */
const compact = (bytes: Buffer) => Buffer.concat([Buffer.from([bytes.length + 1]), bytes]);
/** Of the first version of a request. */
const header = (key: number) => Buffer.concat([int16(key), int16(0), int32(0), text("test")]);

function expectDone(answer: Buffer, codeAt: number): void {
  const code = answer.readInt16BE(codeAt);
  if (code !== 0) throw new Error(`Kafka refuses with code ${code}: ${answer.toString("latin1")}`);
}

/** Until one of them answers that it is done. */
async function ask(brokers: readonly string[], head: Buffer, body: Buffer, codeAt: number): Promise<void> {
  const request = Buffer.concat([int32(head.length + body.length), head, body]);
  let tries = 0;
  await eventually(
    async () => {
      const broker = brokers[tries++ % brokers.length];
      expectDone(await askOne(broker ?? "", request), codeAt);
      return true;
    },
    "a broker does what is asked for",
    DONE_MS,
  );
}

/** The answer, without its number. */
async function askOne(broker: string, request: Buffer): Promise<Buffer> {
  const [host = "", port] = broker.split(":");
  const socket = connect({ host, port: Number(port) });
  const signal = AbortSignal.timeout(ANSWER_MS);
  try {
    await once(socket, "connect", { signal });
    socket.write(request);
    let heard = Buffer.alloc(0);
    while (heard.length < 4 || heard.length < 4 + heard.readInt32BE()) {
      const [bytes] = (await once(socket, "data", { signal })) as [Buffer];
      heard = Buffer.concat([heard, bytes]);
    }
    return heard.subarray(8);
  } finally {
    socket.destroy();
  }
}
