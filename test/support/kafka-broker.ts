/** A real Kafka for tests: one Java process per broker, in KRaft mode, on loopback, with its data in a folder. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { Kafka, logLevel } from "kafkajs";
import { eventually } from "./deadline.ts";
import { setPassword } from "./kafka-accounts.ts";
import { archiveOf } from "./kafka-archive.ts";
import { type KafkaVersion, kafkaClasspath, OLD_VERSION, OLDEST_VERSION } from "./kafka-classpath.ts";
import { format, newUuid } from "./kafka-format.ts";
import { dataOf, type Node, properties, type Shared } from "./kafka-properties.ts";
import { type Security, securityOf } from "./kafka-security.ts";
import { startZooKeeper, type ZooKeeper } from "./kafka-zookeeper.ts";
import { freePort, freePorts } from "./ports.ts";

/** Of a machine that has much else to do. */
const START_MS = 120_000;
const STOP_MS = 20_000;
/** A test's broker is small and short-lived: what makes it start soon matters, not how fast it gets. */
const JAVA = ["-Xmx384m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"];

export interface KafkaOptions {
  /** Three run as a cluster whose topics have a replica on each. */
  readonly brokers?: 1 | 3;
  /** Broker 1 alone is the cluster's controller, so that all the others may be gone at once. */
  readonly oneController?: true;
  /**
   * One of the old release, as of a cluster that was never moved off ZooKeeper and the old formats; or of the oldest that tells
   * topics by their ids; or of this one.
   */
  readonly old?: true | "oldest" | KafkaVersion;
  /** Listens with TLS and SASL too, for who has the certificate and one of the accounts. */
  readonly secure?: true;
  /** Listens on one more port, and advertises for it one where nobody listens. */
  readonly misadvertised?: true;
  /** Ports of proxies, one for each broker, that lead to `behindProxies`: who comes through them is led to them only. */
  readonly proxies?: readonly number[];
  /** The same, to `behindAccountProxies`, for those who have an account: with SCRAM-SHA-256 over TLS, as `config` says. */
  readonly accountProxies?: readonly number[];
  /** Lines of server.properties that come last, and so win. */
  readonly config?: Readonly<Record<string, string | number>>;
}

export class KafkaBroker {
  readonly #classpath: string;
  /** What the tests' own programs are run with. */
  readonly programs: string;
  readonly #folder: string;
  readonly #nodes: Node[];
  #shared: Shared;
  readonly #zooKeeper: ZooKeeper | undefined;
  #security: Security | undefined;
  /** Where what is advertised leads nowhere, if anywhere. */
  readonly misadvertised: { readonly broker: string; readonly advertised: string } | undefined;

  private constructor(
    classpath: string,
    programs: string,
    folder: string,
    nodes: Node[],
    shared: Shared,
    security: Security | undefined,
    misadvertised: KafkaBroker["misadvertised"],
    zooKeeper: ZooKeeper | undefined,
  ) {
    this.misadvertised = misadvertised;
    this.#classpath = classpath;
    this.programs = programs;
    this.#folder = folder;
    this.#nodes = nodes;
    this.#shared = shared;
    this.#zooKeeper = zooKeeper;
    this.#security = security;
  }

  /** Resolves when every broker answers. */
  static async start(options: KafkaOptions = {}): Promise<KafkaBroker> {
    const { brokers = 1, oneController, old, config = {}, secure, proxies, accountProxies } = options;
    const version = old === true ? OLD_VERSION : old === "oldest" ? OLDEST_VERSION : old;
    const classpath = await kafkaClasspath(version);
    const programs = await kafkaClasspath();
    const folder = mkdtempSync(join(tmpdir(), "kafka-"));
    const ports = await freePorts(4 * brokers + 4);
    const [broker, advertised, certified = 0, secured = 0, ...behind] = ports.slice(2 * brokers);
    const security = secure && securityOf(folder, secured, certified);
    const misadvertised = options.misadvertised && {
      broker: `127.0.0.1:${broker}`,
      advertised: `127.0.0.1:${advertised}`,
    };
    const nodes = Array.from({ length: brokers }, (_, i): Node => {
      const controllerPort = oneController && i > 0 ? undefined : ports[brokers + i];
      const proxy = proxies?.[i];
      const proxied = proxy === undefined ? undefined : { port: behind[i] ?? 0, proxy };
      const account = accountProxies?.[i];
      const accounts = account === undefined ? undefined : { port: behind[brokers + i] ?? 0, proxy: account };
      return nodeOf(folder, i + 1, ports[i] ?? 0, controllerPort, proxied, accounts);
    });
    const zooKeeper = old && (await startZooKeeper(classpath, folder));
    const shared = {
      zooKeeper: zooKeeper?.address,
      cluster: newUuid(),
      voters: nodes
        .filter(({ controllerPort }) => controllerPort !== undefined)
        .map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`)
        .join(","),
      replicas: brokers,
      misadvertised,
      config: { ...security?.config, ...config },
    };
    const kafka = new KafkaBroker(
      classpath,
      programs,
      folder,
      nodes,
      shared,
      security,
      misadvertised,
      zooKeeper,
    );
    try {
      await Promise.all(nodes.map((node) => kafka.#format(node)));
      await Promise.all(nodes.map((node) => kafka.#launch(node)));
      return kafka;
    } catch (error) {
      const logs = kafka.logs();
      await kafka.stop();
      throw new Error(`Kafka did not start:\n${logs}`, { cause: error });
    }
  }

  /** Where to go with TLS and SASL, if anywhere. */
  get security(): Security | undefined {
    return this.#security;
  }

  get brokers(): string[] {
    return this.#nodes.map(({ port }) => `127.0.0.1:${port}`);
  }

  /** The ports to which the proxies lead. */
  get behindProxies(): number[] {
    return this.#nodes.flatMap(({ proxied }) => (proxied === undefined ? [] : [proxied.port]));
  }

  get behindAccountProxies(): number[] {
    return this.#nodes.flatMap(({ accounts }) => (accounts === undefined ? [] : [accounts.port]));
  }

  /** Comma-separated, as tools want it. */
  get bootstrap(): string {
    return this.brokers.join(",");
  }

  /** A kafkajs client of the cluster, silent. */
  client(): Kafka {
    return new Kafka({ brokers: this.brokers, logLevel: logLevel.NOTHING, retry: { retries: 10 } });
  }

  /** Adds a broker to the running cluster; resolves to its id when it answers. It holds nothing yet. */
  async add(): Promise<number> {
    const port = await freePort();
    const node = nodeOf(this.#folder, this.#nodes.length + 1, port, undefined, undefined, undefined);
    this.#nodes.push(node);
    await this.#format(node);
    await this.#launch(node);
    return node.id;
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

  /**
   * Gives a single secure broker other certificates, its client another one and its account another password, and
   * restarts it: nothing that was good before is so any more, but for tokens.
   */
  async rotate(): Promise<Security> {
    if (this.#security === undefined) throw new Error("the broker is not secure");
    const { port, mutualPort } = this.#security;
    const security = securityOf(this.#folder, port, mutualPort, true);
    this.#security = security;
    this.#shared = { ...this.#shared, config: { ...this.#shared.config, ...security.config } };
    await setPassword(this.brokers, security.username, security.password);
    const node = this.#node(1);
    this.#configure(node);
    await this.restart();
    return security;
  }

  /** Ends every broker and removes the data. */
  async stop(): Promise<void> {
    await Promise.all(
      this.#nodes.map((node) => this.#end(node, node.archive?.isMade ? "SIGTERM" : "SIGKILL")),
    );
    await this.#zooKeeper?.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** A topic's id as a broker's disk has it. Throws where it has none. */
  topicId(topic: string): string {
    const file = join(dataOf(this.#node(1)), `${topic}-0`, "partition.metadata");
    const id = /^topic_id: (.+)$/m.exec(readFileSync(file, "utf8"))?.[1];
    if (id === undefined) throw new Error(`${file} names no topic`);
    return id;
  }

  /** Where a broker has the first segment of a partition. */
  segment(topic: string, partition: number, id = 1): string {
    return join(dataOf(this.#node(id)), `${topic}-${partition}`, `${"0".repeat(20)}.log`);
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

  #node(id: number): Node {
    const node = this.#nodes.find((candidate) => candidate.id === id);
    if (node === undefined) throw new Error(`there is no broker ${id}`);
    return node;
  }

  #configure(node: Node): void {
    const text = properties(node, this.#shared, this.security?.listener);
    writeFileSync(join(node.folder, "server.properties"), text);
  }

  async #format(node: Node): Promise<void> {
    this.#configure(node);
    if (this.#shared.zooKeeper !== undefined) return;
    await format({
      classpath: this.#classpath,
      java: JAVA,
      cluster: this.#shared.cluster,
      id: node.id,
      properties: join(node.folder, "server.properties"),
      data: dataOf(node),
      isController: node.controllerPort !== undefined,
      accounts: this.security?.formatArgs ?? [],
    });
  }

  async #launch(node: Node): Promise<void> {
    const out = createWriteStream(join(node.folder, "out.log"), { flags: "a" });
    // An archive takes no folders, and brokers need no programs of tests.
    const paths = this.#classpath.split(delimiter).filter((path) => path.endsWith(".jar"));
    const jars = paths.join(delimiter);
    // One of several takes long to end in order.
    const archive = archiveOf(jars, node.id, this.#nodes.length === 1 && this.#zooKeeper === undefined);
    node.archive = archive;
    const child = spawn(
      "java",
      [
        ...JAVA,
        ...archive.java,
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp",
        jars,
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
    child.once("close", (code) => {
      archive.ended(code);
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

function nodeOf(
  folder: string,
  id: number,
  port: number,
  controllerPort: number | undefined,
  proxied: Node["proxied"],
  accounts: Node["accounts"],
): Node {
  const home = join(folder, String(id));
  mkdirSync(home);
  return {
    id,
    port,
    folder: home,
    controllerPort,
    proxied,
    accounts,
    process: undefined,
    archive: undefined,
  };
}
