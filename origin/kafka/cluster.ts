/** The brokers as last heard of, and what they say of topics. */

import { SourceError } from "../source/source.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { type ApiName, chosenVersion } from "./apis.ts";
import { BrokerConnection } from "./connection.ts";
import { DialGate } from "./dial-gate.ts";
import { Fetcher } from "./fetcher.ts";
import { SilentError } from "./hearing.ts";
import type { Address } from "./kafkajs.ts";
import { unlessSilent, wordsOf } from "./patience.ts";
import type { Request } from "./request.ts";
import {
  type BrokerAddress,
  KAFKA_ERROR,
  type Metadata,
  metadataRequest,
  type TopicMetadata,
} from "./requests.ts";
import type { KafkaSettings } from "./settings.ts";

/** After this, what one broker doesn't say another is asked for, too. */
const SILENCE_MS = TIME_LIMITS.brokerOtherMs;

interface Broker {
  readonly address: BrokerAddress;
  readonly fetcher: Fetcher;
  /** For everything but fetching. */
  connection: BrokerConnection | undefined;
}

export class Cluster {
  readonly #settings: KafkaSettings;
  readonly #brokers = new Map<number, Broker>();
  /** Where brokers are asked for while none is known. */
  readonly #bootstrap: readonly Address[];
  /** To those, for all who ask meanwhile. */
  readonly #entries = new Map<Address, BrokerConnection>();
  /** By host and port: whatever wants a connection there goes through one. */
  readonly #gates = new Map<string, DialGate>();
  readonly #asking = new Map<string, Promise<TopicMetadata>>();
  /** Topics that have an id of their own: while a cluster gets these, some brokers don't know them yet. */
  readonly #identified = new Set<string>();
  #closed = false;

  constructor(settings: KafkaSettings) {
    this.#settings = settings;
    this.#bootstrap = settings.brokers.map(addressOf);
  }

  /** As a broker knows the topic now. Callers that ask for the same at once share an answer. */
  topic(name: string): Promise<TopicMetadata> {
    const known = this.#asking.get(name);
    if (known !== undefined) return known;
    const asked = this.#describe(name).finally(() => {
      if (this.#asking.get(name) === asked) this.#asking.delete(name);
    });
    this.#asking.set(name, asked);
    return asked;
  }

  /** All that there are, as a broker knows them now. */
  topics(): Promise<readonly TopicMetadata[]> {
    return this.#askAnyone(undefined);
  }

  /** Undefined if no broker of that number is known, as while a partition has no leader. */
  fetcher(id: number): Fetcher | undefined {
    return this.#brokers.get(id)?.fetcher;
  }

  /** A connection of its own for the caller, which closes it. Throws if no broker of that number is known. */
  dial(id: number): BrokerConnection {
    const broker = this.#brokers.get(id);
    if (broker === undefined) throw new Error(`there is no broker ${id} just now`);
    return this.#connect(broker.address);
  }

  async send<T>(id: number, request: Request<T>): Promise<T> {
    const broker = this.#brokers.get(id);
    if (broker === undefined) throw new Error(`there is no broker ${id} just now`);
    return this.#open(broker).send(request);
  }

  /** Rejects with UnsupportedError if this broker has no such request, or else with what may pass. */
  async mustHave(id: number, name: ApiName): Promise<void> {
    const broker = this.#brokers.get(id);
    if (broker === undefined) throw new Error(`there is no broker ${id} just now`);
    chosenVersion(name, await this.#open(broker).versions());
  }

  /** Another number after every sign of life of a broker, but for what is fetched from it. */
  signs(id: number): number {
    return this.#brokers.get(id)?.connection?.signs ?? 0;
  }

  /** The same of all that are asked. */
  get allSigns(): number {
    const known = [...this.#brokers.values()].map(({ connection }) => connection);
    return signsOf([...known, ...this.#entries.values()]);
  }

  /** Nothing that is under way is trusted any more: it fails, and what is asked for next goes over connections made anew. */
  renew(): void {
    this.#closeEntries();
    for (const { connection, fetcher } of this.#brokers.values()) {
      connection?.close();
      fetcher.renew();
    }
    this.#asking.clear();
  }

  close(): void {
    this.#closed = true;
    this.#closeEntries();
    for (const broker of this.#brokers.values()) end(broker);
    this.#brokers.clear();
  }

  async #describe(name: string): Promise<TopicMetadata> {
    const [found] = await this.#askAnyone(name);
    if (found === undefined) throw new SourceError("unavailable", "an answer about no topic");
    if (found.hasOwnId) this.#identified.add(name);
    else if (found.error === KAFKA_ERROR.none && this.#identified.has(name))
      throw new SourceError("unavailable", `the broker that was asked doesn't know the id of ${name} yet`);
    return found;
  }

  async #askAnyone(name: string | undefined): Promise<readonly TopicMetadata[]> {
    const asked: Promise<Metadata>[] = [];
    const connections: BrokerConnection[] = [];
    const heard = () => signsOf(connections);
    const answer = (): Promise<Metadata> => Promise.any(asked);
    const ways = this.#ways();
    for (const [i, connect] of ways.entries()) {
      if (this.#closed) break;
      const connection = connect();
      connections.push(connection);
      asked.push(connection.send(metadataRequest(name)));
      try {
        const isLast = i === ways.length - 1;
        const { brokers, topics } = await (isLast ? answer() : unlessSilent(SILENCE_MS, answer(), heard, ""));
        this.#learn(brokers);
        return topics;
      } catch {
        // All who were asked have failed, or one of them is silent: another may know.
      }
    }
    const failures = (await Promise.allSettled(asked)).flatMap((one) =>
      one.status === "rejected" ? [one.reason] : [],
    );
    const why = failures.length === 0 ? "the source is closed" : wordsOf(failures[0]);
    throw new SourceError("unavailable", `no broker answers: ${why}`, {
      cause: new AggregateError(failures),
    });
  }

  /**
   * Connections that are open first, then brokers that are known, then those that were named at the start. Those that
   * throttle come last: what is asked of them again and again would queue up.
   */
  #ways(): (() => BrokerConnection)[] {
    const known = Map.groupBy(this.#brokers.values(), ({ connection }) =>
      connection?.closed === false ? (connection.quietMs > 0 ? "throttled" : "open") : "closed",
    );
    const to = (which: "open" | "closed" | "throttled") =>
      (known.get(which) ?? []).map((broker) => () => this.#open(broker));
    const entries = this.#bootstrap.map((address) => () => this.#enter(address));
    return [...to("open"), ...to("closed"), ...entries, ...to("throttled")];
  }

  #enter(address: Address): BrokerConnection {
    const open = this.#entries.get(address);
    if (open?.closed === false) return open;
    const entry = this.#connect(address);
    this.#entries.set(address, entry);
    return entry;
  }

  #open(broker: Broker): BrokerConnection {
    if (broker.connection === undefined || broker.connection.closed)
      broker.connection = this.#connect(broker.address);
    return broker.connection;
  }

  #connect(address: Address): BrokerConnection {
    const name = nameOf(address);
    const gate = this.#gates.get(name) ?? new DialGate();
    this.#gates.set(name, gate);
    return new BrokerConnection(this.#settings, address, gate.take());
  }

  /**
   * A broker that stopped answering shall not be the first to be asked who leads now. If it is silent, connections to
   * others may have been forgotten on the same way: asked one after the other, each would be waited for.
   */
  #failed(broker: Broker, error: Error): void {
    const doubtful = error instanceof SilentError ? this.#brokers.values() : [broker];
    for (const { connection, fetcher } of doubtful) {
      connection?.close(error);
      fetcher.dropIdle();
    }
  }

  #closeEntries(): void {
    for (const entry of this.#entries.values()) entry.close();
    this.#entries.clear();
  }

  #learn(addresses: readonly BrokerAddress[]): void {
    if (this.#closed) return;
    this.#closeEntries();
    for (const [id, broker] of this.#brokers) {
      const now = addresses.find((address) => address.id === id);
      if (now?.host === broker.address.host && now.port === broker.address.port) continue;
      this.#brokers.delete(id);
      end(broker);
    }
    for (const address of addresses) {
      if (this.#brokers.has(address.id)) continue;
      const broker: Broker = {
        address,
        fetcher: new Fetcher(
          () => this.#connect(address),
          (error) => this.#failed(broker, error),
        ),
        connection: undefined,
      };
      this.#brokers.set(address.id, broker);
    }
    const named = new Set([...this.#bootstrap, ...addresses].map(nameOf));
    for (const name of this.#gates.keys()) if (!named.has(name)) this.#gates.delete(name);
  }
}

function end({ connection, fetcher }: Broker): void {
  connection?.close();
  fetcher.close();
}

const signsOf = (connections: readonly (BrokerConnection | undefined)[]) =>
  connections.reduce((sum, connection) => sum + (connection?.signs ?? 0), 0);

const nameOf = ({ host, port }: Address) => `${host}:${port}`;

/** host:port, where an IPv6 host may be in brackets. Settings were checked before they come here. */
function addressOf(text: string): Address {
  const colon = text.lastIndexOf(":");
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(text.slice(colon + 1)) };
}
