/** The settings of the command `edge`, and what the Worker is told of them. */
import { COMMANDS, typed } from "../../shared/node/commands.ts";
import { STREAMS_FILE } from "../../shared/node/installation.ts";
import type { Values } from "../../shared/node/settings.ts";
import {
  CONNECTION_SETTINGS,
  connectionLimits,
  connectLimits,
  subscribersPerObject,
} from "../endpoint/connection-limits.ts";
import { addressKey } from "../http/address-key.ts";
import { readBasePath } from "../http/base-path.ts";
import { isLoopback, readHosts } from "../http/browsers.ts";
import { PUBLISH_SETTING, publishMaxBytes } from "../http/publish-request.ts";
import { QUOTA_SETTINGS, readQuotas } from "../http/quotas.ts";
import { readProxies } from "../http/sender.ts";
import { SENDER_SETTINGS, senderLimits } from "../http/sender-limits.ts";
import { ROOMS_SETTING, roomCount } from "../relay/rooms.ts";
import { GATHER_SETTING, gatherMs } from "../shard/links/gathering.ts";
import { reason } from "./checks.ts";
import { sourceOf } from "./gate-address.ts";
import { RUNTIME_SETTINGS } from "./runtimes.ts";

/** Who is asked for, and who is told what: those of `start`, too. */
export const INSIGHT_SETTINGS = {
  HOSTS: {
    means:
      "Names that requests may be for beside localhost, with commas between, as edge.example.com. Unset, on a loopback address: none; else all.",
  },
  DETAILS: {
    means:
      "on: everybody who reaches the edge is told names of origins; off: a token with admin is. Default: on if only this machine does.",
  },
  OPERATIONS: {
    means: "on: /$/operations tells what the platform would bill, to whom DETAILS says.",
    default: "off",
  },
} as const;

export const command = {
  usage: typed("edge", "[flags]"),
  does: COMMANDS.edge.does,
  settings: {
    PORT: { means: "Where to listen.", default: "8787" },
    HOST: { means: "The address to listen on.", default: "127.0.0.1" },
    ...RUNTIME_SETTINGS,
    DATA_DIR: { means: "Folder whose subfolder `edge` holds what the objects store.", default: "data" },
    STREAMS: {
      means: "The list of what is exposed.",
      default: STREAMS_FILE,
    },
    UPLINK_KEYS: {
      means:
        "Keys of origins: kid:name:secret[,kid:name:secret…], each with its origin's name and a secret of 32 bytes or more. Required.",
      secret: true,
    },
    AUTH_ISSUERS: {
      means: "Who may issue tokens: a JSON list, see docs/access.md. Without it there are no tokens.",
      secret: true,
    },
    WEB_ORIGINS: {
      means:
        "Origins of web pages that are answered, as https://app.example.com, with commas between. Unset: all, without cookies.",
    },
    AUTH_COOKIE: { means: "The name of a cookie that may hold a token." },
    BASE_PATH: {
      means:
        "The path below which a proxy has the edge, as /live, if the proxy leaves it in what it asks for. Unset: none.",
    },
    ...INSIGHT_SETTINGS,
    ...CONNECTION_SETTINGS,
    ...PUBLISH_SETTING,
    ...GATHER_SETTING,
    ...ROOMS_SETTING,
    // One process has the machine's memory.
    UNSENT_MEGABYTES: { ...CONNECTION_SETTINGS.UNSENT_MEGABYTES, default: "512" },
    // Unset, they are the defaults, and this machine's own addresses have none.
    SUBSCRIBES_PER_MINUTE: { means: QUOTA_SETTINGS.SUBSCRIBES_PER_MINUTE.means },
    REPLAYS_PER_MINUTE: { means: QUOTA_SETTINGS.REPLAYS_PER_MINUTE.means },
    READS_PER_MINUTE: { means: QUOTA_SETTINGS.READS_PER_MINUTE.means },
    PUBLISHES_PER_MINUTE: { means: QUOTA_SETTINGS.PUBLISHES_PER_MINUTE.means },
    FRAMES_PER_MINUTE: { means: SENDER_SETTINGS.FRAMES_PER_MINUTE.means },
    CONNECT_SUBSCRIBES_PER_MINUTE: { means: SENDER_SETTINGS.CONNECT_SUBSCRIBES_PER_MINUTE.means },
    REPLAYED_PER_MINUTE: { means: SENDER_SETTINGS.REPLAYED_PER_MINUTE.means },
    PROXIES: {
      means:
        "Addresses of proxies, with commas between: whom they ask for, by X-Forwarded-For, has the quotas.",
    },
    CONNECTIONS_PER_ADDRESS: {
      means:
        "How many connections one address may have; they are counted before workerd, which costs 30 µs for each piece of data. Unset: as many as come, until workerd can open no more files; then it is a quarter of what it can serve.",
    },
  },
  switches: {},
} as const;

type EdgeValues = Values<typeof command>;

/** What is wrong with those that the Worker is told. */
export function settingProblems(values: EdgeValues): readonly string[] {
  const { CONNECTIONS_PER_ADDRESS: connections } = values;
  const checks = [
    () => readHosts(values.HOSTS),
    () => connectionLimits(values),
    () => connectLimits(values),
    () => subscribersPerObject(values),
    () => publishMaxBytes(values),
    () => gatherMs(values),
    () => roomCount(values.ROOMS),
    () => readQuotas(values),
    () => senderLimits(values),
    () => readProxies(values.PROXIES),
    () => readBasePath(values.BASE_PATH),
    () => {
      if (connections && !/^[1-9]\d{0,6}$/.test(connections))
        throw new Error("CONNECTIONS_PER_ADDRESS must be a whole number from 1 to 9,999,999");
    },
  ];
  return checks.flatMap((check) => {
    try {
      check();
      return [];
    } catch (error) {
      return [reason(error)];
    }
  });
}

/** Its variables. Behind the gate a proxy comes from the address that stands for its own. */
export function varsOf(values: EdgeValues, isGated: boolean): Readonly<Record<string, string>> {
  const { HOST: host, HOSTS, DETAILS, PROXIES } = values;
  const loopback = isLoopback(host.includes(":") ? `[${host}]` : host);
  const proxies = (PROXIES || "").split(",").map((proxy) => proxy.trim());
  const standIns = proxies.map((proxy) => sourceOf(addressKey(proxy) ?? "") ?? proxy);
  const told = {
    ...pick(values, Object.keys(CONNECTION_SETTINGS)),
    ...pick(values, Object.keys(QUOTA_SETTINGS)),
    ...pick(values, Object.keys(SENDER_SETTINGS)),
    ...pick(values, Object.keys(PUBLISH_SETTING)),
    ...pick(values, Object.keys(GATHER_SETTING)),
    ...pick(values, Object.keys(ROOMS_SETTING)),
    ...pick(values, ["OPERATIONS", "HOSTS", "WEB_ORIGINS", "AUTH_COOKIE", "BASE_PATH"]),
    ...(PROXIES && { PROXIES: (isGated ? standIns : proxies).join(",") }),
  };
  return {
    ...told,
    PEERS: "on",
    LOOPBACK: loopback ? "on" : "off",
    // With names of its own something else passes on to it what strangers ask.
    DETAILS: DETAILS || (loopback && !HOSTS ? "on" : "off"),
  };
}

function pick(values: EdgeValues, names: readonly string[]): Readonly<Record<string, string>> {
  const set = Object.entries(values).filter(([name, value]) => names.includes(name) && value);
  return Object.fromEntries(set.map(([name, value]) => [name, String(value)]));
}
