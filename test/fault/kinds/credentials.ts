/** Credentials that are changed while origins run. */
import type { Kind } from "./kind.ts";

export const CREDENTIALS: readonly Kind[] = [
  {
    name: "password of the origins changed, and every connection to Kafka cut",
    perTenMinutes: 11,
    lastsMs: 3_000,
    parts: ["account", "brokers", "origin-kafka"],
    inject: async ({ secret, links }) => {
      await secret.change();
      for (const proxy of links.brokers) proxy.cut();
    },
  },
];
