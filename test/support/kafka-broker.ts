/** A real Kafka for tests: one Java process per broker, in KRaft mode, on loopback, with its data in a folder. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Kafka, logLevel } from "kafkajs";
import { setPassword, unregister } from "./kafka-accounts.ts";
import { type KafkaVersion, kafkaClasspath, OLD_VERSION, OLDEST_VERSION } from "./kafka-classpath.ts";
import { format, newUuid } from "./kafka-format.ts";
import { end, JAVA, launch } from "./kafka-process.ts";
import { dataOf, type Node, properties, type Shared } from "./kafka-properties.ts";
import { type Security, securityOf } from "./kafka-security.ts";
import { startZooKeeper, type ZooKeeper } from "./kafka-zookeeper.ts";
import { freePorts } from "./ports.ts";

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
  /** Listens on one more port, and advertises for it one where nobody listens; or a name that only resolves elsewhere. */
  readonly misadvertised?: "port" | "name";
  /** Ports of proxies, one for each broker, that lead to `behindProxies`: who comes through them is led to them only. */
  readonly proxies?: readonly number[];
  /** The same, to `behindAccountProxies`, for those who have an account: with SCRAM-SHA-256 over TLS, as `config` says. */
  readonly accountProxies?: readonly number[];
  /** Lines of server.properties that come last, and so win. */
  readonly config?: Readonly<Record<string, string | number>>;
}

/** No resolver knows such a name (RFC 6761). */
const INSIDE = "kafka.inside.invalid";

export interface AddOptions {
  /** As `proxies` and `accountProxies` of a cluster. */
  readonly proxy?: number;
  readonly accountProxy?: number;
  /** Lines of its server.properties that win. */
  readonly config?: Readonly<Record<string, string | number>>;
}

export interface Added {
  readonly id: number;
  /** To where its proxies are to lead, if it has any. */
  readonly behindProxy: number | undefined;
  readonly behindAccountProxy: number | undefined;
}

export class KafkaBroker {
  readonly #classpath: string;
  /** What the tests' own programs are run with. */
  readonly programs: string;
  readonly #folder: string;
  readonly #nodes: Node[];
  /** No number is given twice: what was configured of a broker that is gone would be that of its heir. */
  #lastId: number;
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
    this.#lastId = nodes.length;
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
      advertised: `${options.misadvertised === "name" ? INSIDE : "127.0.0.1"}:${advertised}`,
    };
    const nodes = Array.from({ length: brokers }, (_, i): Node => {
      const controllerPort = oneController && i > 0 ? undefined : ports[brokers + i];
      const proxy = proxies?.[i];
      const proxied = proxy === undefined ? undefined : { port: behind[i] ?? 0, proxy };
      const account = accountProxies?.[i];
      const accounts = account === undefined ? undefined : { port: behind[brokers + i] ?? 0, proxy: account };
      return nodeOf(folder, { id: i + 1, port: ports[i] ?? 0, controllerPort, proxied, accounts });
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

  /** Of each broker that belongs to the cluster, as of the lists below. */
  get ids(): number[] {
    return this.#brokers.map(({ id }) => id);
  }

  get brokers(): string[] {
    return this.#brokers.map(({ port }) => `127.0.0.1:${port}`);
  }

  /** The ports to which the proxies lead. */
  get behindProxies(): number[] {
    return this.#brokers.flatMap(({ proxied }) => (proxied === undefined ? [] : [proxied.port]));
  }

  get behindAccountProxies(): number[] {
    return this.#brokers.flatMap(({ accounts }) => (accounts === undefined ? [] : [accounts.port]));
  }

  /** Comma-separated, as tools want it. */
  get bootstrap(): string {
    return this.brokers.join(",");
  }

  /** A kafkajs client of the cluster, silent. */
  client(): Kafka {
    return new Kafka({ brokers: this.brokers, logLevel: logLevel.NOTHING, retry: { retries: 10 } });
  }

  /** Adds a broker to the running cluster, which holds nothing yet; resolves when it answers. */
  async add({ proxy, accountProxy, config }: AddOptions = {}): Promise<Added> {
    const [port = 0, behind = 0, behindAccounts = 0] = await freePorts(3);
    const node = nodeOf(this.#folder, {
      id: ++this.#lastId,
      port,
      ...(proxy !== undefined && { proxied: { port: behind, proxy } }),
      ...(accountProxy !== undefined && { accounts: { port: behindAccounts, proxy: accountProxy } }),
      ...(config && { config }),
    });
    this.#nodes.push(node);
    try {
      await this.#format(node);
      await this.#launch(node);
    } catch (error) {
      await end(node, "SIGKILL");
      this.#forget(node);
      throw error;
    }
    return { id: node.id, behindProxy: node.proxied?.port, behindAccountProxy: node.accounts?.port };
  }

  /**
   * Ends a broker that holds nothing any more and takes it out of the cluster: for good, or if it is one of the controllers, until it
   * joins again.
   */
  async remove(id: number): Promise<void> {
    const node = this.#node(id);
    await end(node, "SIGTERM");
    node.isMember = false;
    await unregister(this.brokers, id);
    if (!this.mayJoin(id)) this.#forget(node);
  }

  /** Whether one that was removed may join again: the others look for a controller that has its number. */
  mayJoin(id: number): boolean {
    return this.#nodes.some((node) => node.id === id && node.controllerPort !== undefined);
  }

  /** Has a controller that was removed be a broker again: it is known by the same number, and holds nothing. */
  async join(id: number): Promise<void> {
    const node = this.#node(id);
    node.isMember = true;
    await this.#launch(node);
  }

  /** Ends one broker at once, as a power cut would. */
  async kill(id = 1): Promise<void> {
    await end(this.#node(id), "SIGKILL");
  }

  /** Ends one broker as an operator would: it hands over what it leads. */
  async shutDown(id = 1): Promise<void> {
    await end(this.#node(id), "SIGTERM");
  }

  /** Stops a broker's process where it is, or lets it go on: half-open to everyone who talks to it. */
  freeze(id: number, frozen: boolean): void {
    this.#node(id).process?.kill(frozen ? "SIGSTOP" : "SIGCONT");
  }

  /** Starts a broker that was ended, at its old address and with its data. */
  async restart(id = 1): Promise<void> {
    const node = this.#node(id);
    await end(node, "SIGTERM");
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
    await Promise.all(this.#nodes.map((node) => end(node, node.archive?.isMade ? "SIGTERM" : "SIGKILL")));
    await this.#zooKeeper?.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** A topic's id as a broker's disk has it. Throws where none has it. */
  topicId(topic: string): string {
    const files = this.#brokers.map((node) => join(dataOf(node), `${topic}-0`, "partition.metadata"));
    const file = files.find((one) => existsSync(one)) ?? "";
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

  get #brokers(): readonly Node[] {
    return this.#nodes.filter(({ isMember }) => isMember);
  }

  #forget(node: Node): void {
    this.#nodes.splice(this.#nodes.indexOf(node), 1);
    rmSync(node.folder, { recursive: true, force: true });
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
    // One of several takes long to end in order.
    await launch(node, this.#classpath, this.#nodes.length === 1 && this.#zooKeeper === undefined);
    if (node.process === undefined) throw new Error(`broker ${node.id} ended: ${this.logs()}`);
  }
}

type NewNode = Pick<Node, "id" | "port"> &
  Partial<Pick<Node, "controllerPort" | "proxied" | "accounts" | "config">>;

function nodeOf(folder: string, { id, port, config = {}, ...more }: NewNode): Node {
  const home = join(folder, String(id));
  mkdirSync(home);
  return {
    id,
    port,
    folder: home,
    controllerPort: more.controllerPort,
    isMember: true,
    config,
    proxied: more.proxied,
    accounts: more.accounts,
    process: undefined,
    archive: undefined,
  };
}
