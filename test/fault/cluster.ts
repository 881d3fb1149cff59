/** Kafka's brokers, each behind a proxy for origins without an account and another for those that have one. */
import type { Admin } from "kafkajs";
import { KafkaBroker } from "../support/kafka-broker.ts";
import { handOver } from "../support/kafka-reassign.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

type Config = Readonly<Record<string, string | number>>;

interface Proxies {
  readonly plain: TcpProxy;
  readonly accounts: TcpProxy;
}

export class Cluster {
  readonly kafka: KafkaBroker;
  readonly admin: Admin;
  /** By the number of the broker. */
  readonly #proxies: Map<number, Proxies>;
  /** What a broker that is added now has besides. */
  readonly #configNow: () => Config;

  /**
   * @param config Lines of server.properties.
   * @param configNow Of a broker that is added later: what has changed since.
   */
  static async start(brokers: 1 | 3, config: Config, configNow: () => Config): Promise<Cluster> {
    const proxies = await Promise.all(Array.from({ length: brokers }, open));
    let kafka: KafkaBroker | undefined;
    try {
      kafka = await KafkaBroker.start({
        brokers,
        proxies: proxies.map(({ plain }) => plain.port),
        accountProxies: proxies.map(({ accounts }) => accounts.port),
        config: { ...config, ...configNow() },
      });
      const { ids, behindProxies, behindAccountProxies } = kafka;
      const byId = new Map<number, Proxies>();
      for (const [i, one] of proxies.entries()) {
        one.plain.target = behindProxies[i];
        one.accounts.target = behindAccountProxies[i];
        byId.set(ids[i] ?? 0, one);
      }
      const admin = kafka.client().admin();
      await admin.connect();
      return new Cluster(kafka, admin, byId, configNow);
    } catch (error) {
      await kafka?.stop();
      await Promise.all(proxies.map(close));
      throw error;
    }
  }

  private constructor(
    kafka: KafkaBroker,
    admin: Admin,
    proxies: Map<number, Proxies>,
    configNow: () => Config,
  ) {
    this.kafka = kafka;
    this.admin = admin;
    this.#proxies = proxies;
    this.#configNow = configNow;
  }

  /** Of every broker that there is, those for origins without an account and then those for origins with one. */
  get proxies(): readonly TcpProxy[] {
    const all = [...this.#proxies.values()];
    return [...all.map(({ plain }) => plain), ...all.map(({ accounts }) => accounts)];
  }

  /** Where an origin finds the brokers, as its settings say it. */
  bootstrap(hasAccount: boolean): string {
    return Array.from(this.#proxies.values(), ({ plain, accounts }) => {
      return `127.0.0.1:${(hasAccount ? accounts : plain).port}`;
    }).join();
  }

  /** Adds a broker, which holds nothing yet, behind proxies as all others; resolves with its number. */
  async add(): Promise<number> {
    const proxies = await open();
    const { plain, accounts } = proxies;
    try {
      const added = await this.kafka.add({
        proxy: plain.port,
        accountProxy: accounts.port,
        config: this.#configNow(),
      });
      plain.target = added.behindProxy;
      accounts.target = added.behindAccountProxy;
      this.#proxies.set(added.id, proxies);
      return added.id;
    } catch (error) {
      await close(proxies);
      throw error;
    }
  }

  /** Drains a broker: `to` comes to hold what it held, and to lead what it led. */
  drain(id: number, to: number): Promise<void> {
    return handOver(this.admin, id, to);
  }

  /** Takes a broker that holds nothing out of the cluster: one of the first until it joins again, an added one for good. */
  async remove(id: number): Promise<void> {
    await this.kafka.remove(id);
    const proxies = this.#proxies.get(id);
    if (this.kafka.mayJoin(id) || proxies === undefined) return;
    this.#proxies.delete(id);
    await close(proxies);
  }

  async stop(): Promise<void> {
    await this.admin.disconnect();
    await this.kafka.stop();
    await Promise.all(Array.from(this.#proxies.values(), close));
  }
}

async function open(): Promise<Proxies> {
  const [plain, accounts] = await Promise.all([TcpProxy.open(), TcpProxy.open()]);
  return { plain, accounts };
}

async function close({ plain, accounts }: Proxies): Promise<void> {
  await Promise.all([plain.close(), accounts.close()]);
}
