/** A real Kafka for tests: one Java process per broker, in KRaft mode, on loopback, with its data in a folder. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Kafka, logLevel } from "kafkajs";
import { eventually } from "./deadline.ts";
import { kafkaClasspath } from "./kafka-classpath.ts";
import { type Security, securityOf } from "./kafka-security.ts";

const run = promisify(execFile);
const START_MS = 60_000;
const STOP_MS = 20_000;
/** A test's broker is small and short-lived: what makes it start soon matters, not how fast it gets. */
const JAVA = ["-Xmx384m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"];

export interface KafkaOptions {
  /** Three run as a cluster whose topics have a replica on each. */
  readonly brokers?: 1 | 3;
  /** Listens with TLS and SASL too, for who has the certificate and one of the accounts. */
  readonly secure?: true;
  /** Ports of proxies, one for each broker, that lead to `behindProxies`: who comes through them is led to them only. */
  readonly proxies?: readonly number[];
  /** Lines of server.properties that come last, and so win. */
  readonly config?: Readonly<Record<string, string | number>>;
}

interface Node {
  readonly id: number;
  readonly port: number;
  /** Where its proxy leads to. */
  readonly behindProxy: number;
  readonly folder: string;
  process: ChildProcess | undefined;
}

export class KafkaBroker {
  readonly #classpath: string;
  readonly #folder: string;
  readonly #nodes: readonly Node[];
  /** Where to go with TLS and SASL, if anywhere. */
  readonly security: Security | undefined;

  private constructor(
    classpath: string,
    folder: string,
    nodes: readonly Node[],
    security: Security | undefined,
  ) {
    this.#classpath = classpath;
    this.#folder = folder;
    this.#nodes = nodes;
    this.security = security;
  }

  /** Resolves when every broker answers. */
  static async start({ brokers = 1, config = {}, secure, proxies }: KafkaOptions = {}): Promise<KafkaBroker> {
    const classpath = await kafkaClasspath();
    const folder = mkdtempSync(join(tmpdir(), "kafka-"));
    const ports = await freePorts(3 * brokers + 1);
    const security = secure && (await securityOf(folder, ports.at(-1) ?? 0));
    const nodes = Array.from({ length: brokers }, (_, i): Node => {
      const home = join(folder, String(i + 1));
      mkdirSync(home);
      const [port = 0, behindProxy = 0] = [ports[i], ports[2 * brokers + i]];
      return { id: i + 1, port, behindProxy, folder: home, process: undefined };
    });
    const voters = nodes.map(({ id }, i) => `${id}@127.0.0.1:${ports[brokers + i]}`).join(",");
    const cluster = randomBytes(16).toString("base64url").replace(/^-/, "A");
    const kafka = new KafkaBroker(classpath, folder, nodes, security);
    try {
      await Promise.all(
        nodes.map(async (node, i) => {
          writeFileSync(
            join(node.folder, "server.properties"),
            properties(
              node,
              ports[brokers + i] ?? 0,
              voters,
              brokers,
              { ...security?.config, ...config },
              security?.listener,
              proxies?.[i],
            ),
          );
          await kafka.#java(node, "kafka.tools.StorageTool", [
            "format",
            "-t",
            cluster,
            ...(security?.formatArgs ?? []),
            "-c",
          ]);
        }),
      );
      await Promise.all(nodes.map((node) => kafka.#launch(node)));
      return kafka;
    } catch (error) {
      const logs = kafka.logs();
      await kafka.stop();
      throw new Error(`Kafka did not start:\n${logs}`, { cause: error });
    }
  }

  get brokers(): string[] {
    return this.#nodes.map(({ port }) => `127.0.0.1:${port}`);
  }

  /** The ports to which the proxies lead. */
  get behindProxies(): number[] {
    return this.#nodes.map(({ behindProxy }) => behindProxy);
  }

  /** Comma-separated, as tools want it. */
  get bootstrap(): string {
    return this.brokers.join(",");
  }

  get classpath(): string {
    return this.#classpath;
  }

  /** A kafkajs client of the cluster, silent. */
  client(): Kafka {
    return new Kafka({ brokers: this.brokers, logLevel: logLevel.NOTHING, retry: { retries: 10 } });
  }

  /** Ends one broker at once, as a power cut would. */
  async kill(id = 1): Promise<void> {
    await this.#end(this.#node(id), "SIGKILL");
  }

  /** Ends one broker as an operator would: it hands over what it leads. */
  async shutDown(id = 1): Promise<void> {
    await this.#end(this.#node(id), "SIGTERM");
  }

  /** Stops a broker's process where it is, or lets it go on: half-open to everyone who talks to it. */
  freeze(id: number, frozen: boolean): void {
    this.#node(id).process?.kill(frozen ? "SIGSTOP" : "SIGCONT");
  }

  /** Starts a broker that was ended, at its old address and with its data. */
  async restart(id = 1): Promise<void> {
    const node = this.#node(id);
    await this.#end(node, "SIGTERM");
    await this.#launch(node);
  }

  /** Ends every broker and removes the data. */
  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => this.#end(node, "SIGKILL")));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** What the brokers had to say: warnings and errors. */
  logs(): string {
    const read = ({ id, folder }: Node) => {
      try {
        return `broker ${id}: ${readFileSync(join(folder, "out.log"), "utf8").slice(-4_000)}`;
      } catch {
        return `broker ${id}: no log`;
      }
    };
    return this.#nodes.map(read).join("\n");
  }

  /** A topic's id as a broker's disk has it. Throws where it has none. */
  topicId(topic: string): string {
    const file = join(this.#node(1).folder, "data", `${topic}-0`, "partition.metadata");
    const id = /^topic_id: (.+)$/m.exec(readFileSync(file, "utf8"))?.[1];
    if (id === undefined) throw new Error(`${file} names no topic`);
    return id;
  }

  #node(id: number): Node {
    const node = this.#nodes.find((candidate) => candidate.id === id);
    if (node === undefined) throw new Error(`there is no broker ${id}`);
    return node;
  }

  async #java(node: Node, main: string, args: readonly string[]): Promise<void> {
    const file = join(node.folder, "server.properties");
    await run("java", [...JAVA, "-cp", this.#classpath, main, ...args, file], { timeout: START_MS });
  }

  async #launch(node: Node): Promise<void> {
    const out = createWriteStream(join(node.folder, "out.log"), { flags: "a" });
    const child = spawn(
      "java",
      [
        ...JAVA,
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp",
        this.#classpath,
        "kafka.Kafka",
        join(node.folder, "server.properties"),
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    child.stdout.pipe(out, { end: false });
    child.stderr.pipe(out, { end: false });
    node.process = child;
    const die = () => child.kill("SIGKILL");
    process.once("exit", die);
    child.once("close", () => {
      process.off("exit", die);
      out.end();
      if (node.process === child) node.process = undefined;
    });
    await eventually(
      async () => {
        if (node.process === undefined) return "ended";
        const admin = new Kafka({
          brokers: [`127.0.0.1:${node.port}`],
          logLevel: logLevel.NOTHING,
          retry: { retries: 0 },
        }).admin();
        try {
          await admin.connect();
          return (await admin.describeCluster()).brokers.some(({ nodeId }) => nodeId === node.id);
        } finally {
          await admin.disconnect();
        }
      },
      `broker ${node.id} answers`,
      START_MS,
    );
    if (node.process === undefined) throw new Error(`broker ${node.id} ended: ${this.logs()}`);
  }

  async #end(node: Node, signal: NodeJS.Signals): Promise<void> {
    const child = node.process;
    if (child === undefined) return;
    const ended = once(child, "close");
    child.kill(signal);
    const hurry = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await ended;
    clearTimeout(hurry);
    node.process = undefined;
  }
}

function properties(
  { id, port, behindProxy, folder }: Node,
  controllerPort: number,
  voters: string,
  brokers: number,
  config: Readonly<Record<string, string | number>>,
  secure = "",
  proxy?: number,
): string {
  const insync = Math.min(brokers, 2);
  const host = "127.0.0.1";
  const proxied = {
    "inter.broker.listener.name": "PLAINTEXT",
    "advertised.listeners": `PLAINTEXT://${host}:${port},PROXIED://${host}:${proxy}`,
  };
  const extra = proxy === undefined ? "" : `,PROXIED://${host}:${behindProxy}`;
  return Object.entries({
    "process.roles": "broker,controller",
    "node.id": id,
    "controller.quorum.voters": voters,
    "controller.listener.names": "CONTROLLER",
    listeners: `PLAINTEXT://${host}:${port},CONTROLLER://${host}:${controllerPort}${secure}${extra}`,
    "listener.security.protocol.map":
      "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT,SECURE:SASL_SSL",
    ...(proxy === undefined ? {} : proxied),
    "log.dirs": join(folder, "data"),
    "default.replication.factor": brokers,
    "min.insync.replicas": insync,
    "offsets.topic.replication.factor": brokers,
    "offsets.topic.num.partitions": 1,
    "transaction.state.log.replication.factor": brokers,
    "transaction.state.log.min.isr": insync,
    "transaction.state.log.num.partitions": 1,
    "share.coordinator.state.topic.replication.factor": brokers,
    "share.coordinator.state.topic.min.isr": insync,
    "group.initial.rebalance.delay.ms": 0,
    "auto.create.topics.enable": false,
    "file.delete.delay.ms": 100,
    "message.max.bytes": 8 * 1024 * 1024,
    "replica.fetch.max.bytes": 8 * 1024 * 1024,
    "log.message.timestamp.after.max.ms": "9223372036854775807",
    "broker.session.timeout.ms": 3_000,
    "broker.heartbeat.interval.ms": 500,
    "controlled.shutdown.enable": true,
    ...config,
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}

/** Ports that nobody listens on just now, all different. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}
