/** What a broker of the tests is configured with, and where it listens. */
import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import type { Archive } from "./kafka-archive.ts";

export interface Node {
  readonly id: number;
  readonly port: number;
  readonly folder: string;
  /** Undefined if it is a broker only. */
  readonly controllerPort: number | undefined;
  /** Whether it belongs to the cluster, or may only come back to it. */
  isMember: boolean;
  /** Lines of server.properties of its own, which win over all others. */
  readonly config: Readonly<Record<string, string | number>>;
  /** One more port where it listens, and the port of the proxy that leads there. */
  readonly proxied: Proxied | undefined;
  /** The same for those who must say who they are. */
  readonly accounts: Proxied | undefined;
  process: ChildProcess | undefined;
  /** Of the classes of the process that was started last. */
  archive: Archive | undefined;
}

export interface Proxied {
  readonly port: number;
  readonly proxy: number;
}

/** What every broker of a cluster knows alike. */
export interface Shared {
  readonly cluster: string;
  readonly voters: string;
  /** Where its metadata are, if not with the brokers. */
  readonly zooKeeper: string | undefined;
  readonly replicas: number;
  /** One more address where a broker listens, and what it advertises for it. */
  readonly misadvertised: { readonly broker: string; readonly advertised: string } | undefined;
  readonly config: Readonly<Record<string, string | number>>;
}

export const dataOf = ({ folder }: Pick<Node, "folder">) => join(folder, "data");

/** The text of its server.properties. */
export function properties(
  { id, port, folder, controllerPort, proxied, accounts, config: own }: Node,
  { voters, zooKeeper, replicas, misadvertised, config }: Shared,
  secure = "",
): string {
  const insync = Math.min(replicas, 2);
  const controls = controllerPort !== undefined && zooKeeper === undefined;
  const controller = `CONTROLLER://127.0.0.1:${controllerPort}`;
  const lost = (which: "broker" | "advertised") => (misadvertised ? `,LOST://${misadvertised[which]}` : "");
  const behind = (port: "port" | "proxy") =>
    (proxied ? `,PROXIED://127.0.0.1:${proxied[port]}` : "") +
    (accounts ? `,ACCOUNTS://127.0.0.1:${accounts[port]}` : "");
  const accountsOnly = accounts && {
    "listener.name.accounts.sasl.enabled.mechanisms": "SCRAM-SHA-256",
    "listener.name.accounts.scram-sha-256.sasl.jaas.config":
      "org.apache.kafka.common.security.scram.ScramLoginModule required;",
  };
  const metadata = {
    "process.roles": controls ? "broker,controller" : "broker",
    "node.id": id,
    "controller.quorum.voters": voters,
    "controller.listener.names": "CONTROLLER",
  };
  const inZooKeeper = {
    "broker.id": id,
    "zookeeper.connect": zooKeeper,
    // From 3.0 on brokers write no other format than 2.
    "inter.broker.protocol.version": "2.8",
  };
  return Object.entries({
    ...(zooKeeper === undefined ? metadata : inZooKeeper),
    listeners: `PLAINTEXT://127.0.0.1:${port}${controls ? `,${controller}` : ""}${lost("broker")}${behind("port")}${secure}`,
    ...((misadvertised || proxied || accounts) && {
      "advertised.listeners": `PLAINTEXT://127.0.0.1:${port}${lost("advertised")}${behind("proxy")}${secure}`,
    }),
    "listener.security.protocol.map":
      "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LOST:PLAINTEXT,PROXIED:PLAINTEXT,ACCOUNTS:SASL_SSL,SECURE:SASL_SSL,MUTUAL:SSL",
    "log.dirs": dataOf({ folder }),
    "default.replication.factor": replicas,
    "min.insync.replicas": insync,
    "offsets.topic.replication.factor": replicas,
    "offsets.topic.num.partitions": 1,
    "transaction.state.log.replication.factor": replicas,
    "transaction.state.log.min.isr": insync,
    "transaction.state.log.num.partitions": 1,
    "share.coordinator.state.topic.replication.factor": replicas,
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
    ...accountsOnly,
    ...config,
    ...own,
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}
