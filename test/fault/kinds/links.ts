/** Links that break, slow down, or lose what is sent. */
import type { TcpProxy } from "../../support/tcp-proxy.ts";
import { between, oneOf, type Random } from "../random.ts";
import type { Links } from "../rig.ts";
import type { Part } from "../schedule.ts";
import { type Kind, pause } from "./kind.ts";

interface Link {
  readonly name: string;
  readonly part: Part;
  readonly cuts: number;
  readonly proxies: (links: Links, random: Random) => readonly TcpProxy[];
}

const LINKS: readonly Link[] = [
  {
    name: "client–edge",
    part: "clients",
    cuts: 60,
    proxies: ({ clients }, random) => [oneOf(random, clients)],
  },
  {
    name: "origin–edge",
    part: "origin-edge",
    cuts: 45,
    proxies: ({ uplinks }, random) => [oneOf(random, uplinks)],
  },
  {
    name: "origin–Kafka",
    part: "origin-kafka",
    cuts: 45,
    proxies: ({ brokers }, random) => (random() < 0.5 ? brokers : [oneOf(random, brokers)]),
  },
];

const cut = ({ name, part, cuts, proxies }: Link): Kind => ({
  name: `${name} cut`,
  perTenMinutes: cuts,
  lastsMs: 10,
  parts: [part],
  inject: async ({ links }, random) => {
    for (const proxy of proxies(links, random)) proxy.cut();
  },
});

const delay = ({ name, part, proxies }: Link): Kind => ({
  name: `${name} delayed`,
  perTenMinutes: 18,
  lastsMs: 1_200,
  parts: [part],
  inject: async ({ links }, random) => {
    const delayed = proxies(links, random);
    for (const proxy of delayed) proxy.delayMs = between(random, 100, 800);
    await pause(between(random, 500, 1_500));
    for (const proxy of delayed) proxy.delayMs = 0;
  },
});

const halfOpen = ({ name, part, proxies }: Link): Kind => ({
  name: `${name} half-open`,
  perTenMinutes: 15,
  lastsMs: 2_000,
  parts: [part],
  inject: async ({ links }, random) => {
    const silent = proxies(links, random);
    for (const proxy of silent) proxy.silence();
    await pause(between(random, 500, 2_500));
    for (const proxy of silent) proxy.speak();
  },
});

/** What is asked arrives, and is done; but nobody hears of it before the connection breaks. */
const answersLost: Kind = {
  name: "origin–Kafka answers lost, then cut",
  perTenMinutes: 20,
  lastsMs: 1_200,
  parts: ["origin-kafka"],
  inject: async ({ links: { brokers } }, random) => {
    const deaf = random() < 0.5 ? brokers : [oneOf(random, brokers)];
    for (const proxy of deaf) proxy.losesAnswers = true;
    await pause(between(random, 200, 1_500));
    for (const proxy of deaf) {
      proxy.cut();
      proxy.losesAnswers = false;
    }
  },
};

export const LINK_KINDS: readonly Kind[] = [
  ...LINKS.flatMap((link) => [cut(link), delay(link), halfOpen(link)]),
  answersLost,
  {
    name: "storm of reconnects",
    perTenMinutes: 20,
    lastsMs: 10,
    parts: ["clients"],
    inject: async ({ links }) => {
      for (const proxy of links.clients) proxy.cut();
    },
  },
];
