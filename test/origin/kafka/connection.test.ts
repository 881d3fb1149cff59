/** Every request to a broker settles, whatever state the connection was in when it ended, and however that was. */
import { once } from "node:events";
import { type AddressInfo, connect as connectTcp, createServer } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { BrokerConnection } from "../../../origin/kafka/connection.ts";
import { AT_ONCE, DialGate, type Turn } from "../../../origin/kafka/dial-gate.ts";
import { fetchRequest } from "../../../origin/kafka/fetch-request.ts";
import { SilentError } from "../../../origin/kafka/hearing.ts";
import type { KafkaSettings, Limits } from "../../../origin/kafka/settings.ts";
import { eventually } from "../../support/deadline.ts";
import {
  fetchAnswer,
  frame,
  ScriptedBroker,
  saslAuthenticate,
  versions,
} from "../../support/scripted-broker.ts";
import { TcpProxy } from "../../support/tcp-proxy.ts";
import { IDENTITIES, type Identity } from "../../support/tls-identities.ts";

const SILENCE_MS = 300;
/** Short, but not too short for a connection that is to come about on a busy machine. */
const CONNECT_MS = 2_000;
const MAX_BYTES = 1_000_000;
const fetching = () =>
  fetchRequest([], {
    waitMs: 0,
    silenceMs: SILENCE_MS,
    maxBytes: MAX_BYTES,
    partitionMaxBytes: MAX_BYTES,
  });

/** A broker of its own for each test, so that those that have to wait can wait at once. */
class World {
  readonly broker: ScriptedBroker;
  readonly #limits: Partial<Limits>;
  readonly #connections: BrokerConnection[] = [];

  static async begin(
    finished = onTestFinished,
    { identity, ...limits }: Partial<Limits> & { readonly identity?: Identity } = {},
  ): Promise<World> {
    const world = new World(await ScriptedBroker.start(identity), limits);
    finished(() => world.#end());
    return world;
  }

  private constructor(broker: ScriptedBroker, limits: Partial<Limits>) {
    this.broker = broker;
    this.#limits = limits;
  }

  readonly connect = (settings: Partial<KafkaSettings> = {}, turn?: Turn, address = this.broker.address) => {
    const all = { brokers: [], clientId: "test", limits: this.#limits, ...settings };
    const connection = new BrokerConnection(all, address, turn);
    this.#connections.push(connection);
    return connection;
  };

  async #end(): Promise<void> {
    for (const connection of this.#connections) connection.close();
    await this.broker.stop();
  }
}

/** How a request ended, or that it hasn't yet. */
class Watched {
  outcome: unknown = "nothing yet";
  readonly settled: Promise<void>;

  constructor(answer: Promise<unknown>) {
    this.settled = answer.then(
      () => this.#end("answered"),
      (error: unknown) => this.#end(error),
    );
  }

  #end(outcome: unknown): void {
    this.outcome = outcome;
  }
}

const ask = (connection: BrokerConnection) => new Watched(connection.send(fetching()));

interface Reached {
  readonly connection: BrokerConnection;
  readonly requests: readonly Watched[];
}

const SASL = { sasl: { mechanism: "plain", username: "u", password: "p" } } as const;
const never = new Promise<void>(() => {});

/** Ways to bring a connection into a state in which a request waits for something. */
const STATES = {
  "waiting for its turn to dial": async ({ connect }: World) => {
    const connection = connect({}, { ...AT_ONCE, granted: never });
    return { connection, requests: [ask(connection)] };
  },
  dialling: async ({ connect }: World) => {
    const connection = connect();
    return { connection, requests: [ask(connection)] };
  },
  "shaking hands for TLS": async ({ broker, connect }: World) => {
    const connection = connect({ tls: {} });
    const requests = [ask(connection)];
    await broker.connected();
    return { connection, requests };
  },
  "asking what the broker knows": async ({ broker, connect }: World) => {
    delete broker.answers.apiVersions;
    const connection = connect();
    const requests = [ask(connection)];
    await broker.until("apiVersions");
    return { connection, requests };
  },
  "saying how it authenticates": async ({ broker, connect }: World) => {
    delete broker.answers.saslHandshake;
    const connection = connect(SASL);
    const requests = [ask(connection)];
    await broker.until("saslHandshake");
    return { connection, requests };
  },
  authenticating: async ({ broker, connect }: World) => {
    delete broker.answers.saslAuthenticate;
    const connection = connect(SASL);
    const requests = [ask(connection)];
    await broker.until("saslAuthenticate");
    return { connection, requests };
  },
  "waiting for its own token": async ({ broker, connect }: World) => {
    let asked = false;
    const oauthBearerProvider = () => {
      asked = true;
      return new Promise<never>(() => {});
    };
    const mechanism = Buffer.from("OAUTHBEARER");
    broker.answers.saslHandshake = () => {
      const body = Buffer.alloc(8 + mechanism.length);
      body.writeInt32BE(1, 2);
      body.writeInt16BE(mechanism.length, 6);
      body.set(mechanism, 8);
      return body;
    };
    const connection = connect({ sasl: { mechanism: "oauthbearer", oauthBearerProvider } });
    const requests = [ask(connection)];
    await eventually(() => asked, "it is asked for a token");
    return { connection, requests };
  },
  "authenticating again": async ({ broker, connect }: World) => {
    // kafkajs does it ten seconds early: at once.
    broker.answers.saslAuthenticate = () => {
      delete broker.answers.saslAuthenticate;
      return saslAuthenticate(10_000);
    };
    const connection = connect(SASL);
    const requests = [ask(connection)];
    await broker.until("saslAuthenticate", 2);
    return { connection, requests };
  },
  throttled: async ({ broker, connect }: World) => {
    broker.answers.fetch = () => fetchAnswer(60_000);
    const connection = connect();
    await connection.send(fetching());
    const requests = [ask(connection), ask(connection)];
    // Until it has come to wait for the end of that.
    await new Promise((resolve) => setImmediate(resolve));
    expect(connection.quietMs).toBeGreaterThan(0);
    return { connection, requests };
  },
  "waiting for an answer": async ({ broker, connect }: World) => {
    delete broker.answers.fetch;
    const connection = connect();
    const requests = [ask(connection)];
    await broker.until("fetch");
    return { connection, requests };
  },
  "half through an answer": async ({ broker, connect }: World) => {
    broker.answers.fetch = (socket, correlation) => {
      socket.write(frame(correlation, fetchAnswer(0)).subarray(0, 9));
      return undefined;
    };
    const connection = connect();
    const requests = [ask(connection)];
    await broker.until("fetch");
    await eventually(() => connection.heard.bytes > 0, "the first half");
    return { connection, requests };
  },
  "waiting behind another request": async ({ broker, connect }: World) => {
    delete broker.answers.fetch;
    const connection = connect();
    const requests = [ask(connection), ask(connection), ask(connection)];
    await broker.until("fetch");
    return { connection, requests };
  },
} satisfies Record<string, (world: World) => Promise<Reached>>;

type State = keyof typeof STATES;

/** Ways in which a connection ends, and what its requests are rejected with then. */
const ENDS = {
  "is closed by us": (_: World, { connection }: Reached) => connection.close(new Error("by us")),
  "is ended by the broker": ({ broker }: World) => broker.sockets.at(-1)?.end(),
  "is reset": ({ broker }: World) => broker.sockets.at(-1)?.resetAndDestroy(),
} satisfies Record<string, (world: World, reached: Reached) => void>;

type End = keyof typeof ENDS;

/** Before there is a connection, only we can end it. */
const IMPOSSIBLE: readonly `${State}, ${End}`[] = [
  "waiting for its turn to dial, is ended by the broker",
  "waiting for its turn to dial, is reset",
  "dialling, is ended by the broker",
  "dialling, is reset",
];

const TABLE = (Object.keys(STATES) as State[]).flatMap((state) =>
  (Object.keys(ENDS) as End[])
    .filter((end) => !IMPOSSIBLE.includes(`${state}, ${end}`))
    .map((end) => [state, end] as const),
);

describe("all requests of a connection are rejected at once, and it stays closed,", () => {
  test.each(TABLE)("if it is %s when it %s", { timeout: 5_000 }, async (state, end) => {
    const world = await World.begin();
    const reached = await STATES[state](world);

    ENDS[end](world, reached);
    await Promise.all(reached.requests.map(({ settled }) => settled));

    for (const { outcome } of reached.requests) expect(outcome).toBeInstanceOf(Error);
    expect(reached.connection.closed).toBe(true);
    await expect(reached.connection.send(fetching())).rejects.toBeInstanceOf(Error);
  });

  /** Throttled, it is the broker that waits to be asked. */
  const SILENT: readonly State[] = [
    "waiting for an answer",
    "half through an answer",
    "waiting behind another request",
  ];
  test.each(SILENT)("if it is %s and the broker stays silent", { timeout: 5_000 }, async (state) => {
    const { connection, requests } = await STATES[state](await World.begin());

    await Promise.all(requests.map(({ settled }) => settled));

    for (const { outcome } of requests) expect(outcome).toBeInstanceOf(SilentError);
    expect(connection.closed).toBe(true);
  });

  const OPENING: readonly State[] = [
    "shaking hands for TLS",
    "asking what the broker knows",
    "saying how it authenticates",
    "authenticating",
    "waiting for its own token",
    "authenticating again",
  ];
  test.concurrent.for(OPENING)(
    "if it is %s and nothing comes of it",
    { timeout: 30_000 },
    async (state, { onTestFinished, expect }) => {
      const { connection, requests } = await STATES[state](
        await World.begin(onTestFinished, { connectMs: CONNECT_MS }),
      );

      await Promise.all(requests.map(({ settled }) => settled));

      for (const { outcome } of requests) expect(outcome).toBeInstanceOf(Error);
      expect(connection.closed).toBe(true);
    },
  );
});

test("a dial that gets lost on the way is given up after 3 s, and keeps those that wait for it no longer", {
  timeout: 30_000,
}, async () => {
  const { broker, connect } = await World.begin();
  const { apiVersions } = broker.answers;
  if (apiVersions === undefined) throw new Error("a broker says what it knows");
  delete broker.answers.apiVersions;
  const gate = new DialGate();
  const [lost, waits] = [connect({}, gate.take()), connect({}, gate.take())].map(ask);
  await broker.until("apiVersions");
  broker.answers.apiVersions = apiVersions;

  await Promise.all([lost?.settled, waits?.settled]);

  for (const one of [lost, waits]) {
    expect(one?.outcome).toBeInstanceOf(SilentError);
    expect(String(one?.outcome)).toMatch("silent for 3000 ms");
  }
  const next = ask(connect({}, gate.take()));
  await next.settled;
  expect(next.outcome).toBe("answered");
  expect(broker.sockets).toHaveLength(2);
});

test.concurrent.for([
  ["without SASL", {}],
  ["with SASL", SASL],
] as const)(
  "a broker that throttles when it says what it knows is left alone for so long, and then asked: %s",
  async ([, settings], { onTestFinished, expect }) => {
    const { broker, connect } = await World.begin(onTestFinished);
    const throttleMs = 3 * SILENCE_MS;
    let throttledAt = Number.NaN;
    broker.answers.apiVersions = () => {
      throttledAt = performance.now();
      return versions(throttleMs);
    };
    const connection = connect(settings);
    const requests = [ask(connection), ask(connection)];

    await Promise.all(requests.map(({ settled }) => settled));

    expect(requests.map(({ outcome }) => outcome)).toEqual(["answered", "answered"]);
    expect(performance.now() - throttledAt).toBeGreaterThan(throttleMs - 10);
    expect(broker.sockets).toHaveLength(1);
  },
);

/** Of what comes over TLS nothing can be read before a record of up to 16 KiB is whole. */
describe("over TLS", () => {
  test("a broker whose certificate is for another name than it is dialled by is refused, but for the name that is expected", async () => {
    const { broker: identity } = IDENTITIES;
    const { broker, connect } = await World.begin(onTestFinished, { identity });
    // Its certificate is for 127.0.0.1 and localhost.
    const forwarder = createServer((client) => {
      const server = connectTcp(broker.port, "127.0.0.1");
      client.on("error", () => server.destroy()).pipe(server);
      server.on("error", () => client.destroy()).pipe(client);
    }).listen(0, "127.0.0.2");
    onTestFinished(() => void forwarder.close());
    await once(forwarder, "listening");
    const { port } = forwarder.address() as AddressInfo;
    const dialling = (name?: string) =>
      connect({ tls: { ca: identity.cert, ...(name && { name }) } }, AT_ONCE, { host: "127.0.0.2", port });

    await expect(dialling().send(fetching())).rejects.toThrow(/127\.0\.0\.2/);
    await expect(dialling("kafka.example").send(fetching())).rejects.toThrow(/kafka\.example/);
    await expect(dialling("localhost").send(fetching())).resolves.toEqual([]);
  });

  test("an answer may take far longer than a broker may be silent, and so may each record of it", {
    timeout: 30_000,
  }, async () => {
    const { broker: identity } = IDENTITIES;
    const world = await World.begin(onTestFinished, { identity });
    const { broker, connect } = world;
    const proxy = await TcpProxy.open(broker.port);
    onTestFinished(() => proxy.close());
    const records = Buffer.alloc(15_000);
    const topic = Buffer.alloc(16, 1);
    broker.answers.fetch = () => fetchAnswer(0, topic, [{ partition: 0, records }]);
    const connection = connect({ tls: { ca: identity.cert } }, AT_ONCE, {
      host: "127.0.0.1",
      port: proxy.port,
    });
    await connection.send(fetching());
    proxy.bytesPerSecond = 5_000;

    const [fetched] = await connection.send(fetching());

    expect(fetched?.records.equals(records)).toBe(true);
    expect(connection.heard.ms).toBeGreaterThan(2 * SILENCE_MS);
  });
});

test("a request that is too late to be sent ends with its own error, on a connection that worked, and nobody else's promise fails", async () => {
  const { connect, broker } = await World.begin();
  broker.answers.fetch = (socket, id) => void socket.write(frame(id, fetchAnswer(0)));
  const connection = connect();
  await connection.send(fetching());
  const late = new Error("its time was over before it left");
  const encode = () => {
    throw late;
  };

  // Vitest fails where a promise is rejected that nobody hears of.
  await expect(connection.send({ ...fetching(), encode })).rejects.toBe(late);
});
