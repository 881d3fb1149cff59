/** Credentials that are changed while origins run. */
import { type Kind, pause } from "./kind.ts";

/** In which those with an account have all to themselves. */
const ALONE_MS = 2_000;

export const CREDENTIALS: readonly Kind[] = [
  {
    name: "password of an account changed, its connections cut, and the origins without one killed",
    perTenMinutes: 11,
    lastsMs: 4_000,
    parts: ["account", "brokers", "origin", "origin-kafka"],
    missing: ({ settings }) =>
      settings.origins === 1 ? "there is one origin, without an account" : undefined,
    inject: async ({ secret, links, origins }, _, gone) => {
      const others = origins.filter(({ hasAccount }) => !hasAccount);
      await secret.change();
      for (const proxy of links.brokers) proxy.cut();
      await Promise.all(others.map((origin) => origin.kill()));
      gone();
      try {
        await pause(ALONE_MS);
      } finally {
        for (const origin of others) origin.start();
      }
    },
  },
];
